// Finding a part of a text in time that grows with their lengths, not with the product of them: both may come
// from somebody who wants it slow.
#pragma once

#include <cstring>
#include <string_view>

namespace galago {

/// Where `part` begins in `text`, from `at` on; npos when it does not.
inline size_t find_part(std::string_view text, std::string_view part, size_t at = 0) {
  if (at > text.size() || part.size() > text.size() - at) return std::string_view::npos;
  const void* found = ::memmem(text.data() + at, text.size() - at, part.data(), part.size());
  return found ? static_cast<size_t>(static_cast<const char*>(found) - text.data()) : std::string_view::npos;
}

}  // namespace galago
