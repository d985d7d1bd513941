// What every fuzz target shares. In: the bytes that libFuzzer hands over. Out: nothing, or a crash: any
// exception but the library's own and memory that ran out under the fuzzer's limit is a finding, and so is an
// error of code internal.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <new>
#include <span>
#include <string>
#include <string_view>

#include "galago/error.h"

namespace galago::fuzz {

/// Runs body(); true when it went through. An Error must say something and must not blame galago.
template <class Body>
bool accept(const Body& body) {
  try {
    body();
    return true;
  } catch (const Error& error) {
    if (error.code() == ErrorCode::internal || *error.what() == 0) throw;
    return false;
  } catch (const std::bad_alloc&) {
    return false;
  }
}

/// A property that must hold for every input.
inline void require(bool holds) {
  if (!holds) std::abort();
}

inline std::string_view as_text(const uint8_t* data, size_t size) {
  return {reinterpret_cast<const char*>(data), size};
}
inline std::span<const std::byte> as_bytes(const uint8_t* data, size_t size) {
  return {reinterpret_cast<const std::byte*>(data), size};
}

/// Reads all of a view's bytes, so that one beyond its memory is noticed.
void touch(std::span<const std::byte> bytes);

/// A folder of this process's own, in memory where the system has such a file system; gone at its end.
const std::filesystem::path& scratch();
/// A file of that name in scratch(), with this content.
std::filesystem::path scratch_file(const std::string& name, std::string_view content);

}  // namespace galago::fuzz
