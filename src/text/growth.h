// How far a text may grow on its way through a tokenizer: replacements, prefixes and character maps come from
// a file that somebody else made, so every step that makes a text longer asks here before it takes the
// memory.
#pragma once

#include <algorithm>
#include <cstddef>
#include <string>

#include "core/limits.h"
#include "galago/error.h"

namespace galago {

/// Bytes that a prompt of `bytes` may have when it is normalized. The longest thing that a model in use makes
/// of a byte has 11 (one character of compatibility to eighteen); the fixed part is for prefixes.
inline size_t most_grown(size_t bytes) {
  constexpr size_t kTimes = 16;
  constexpr size_t kPrefixes = 1 << 20;
  return std::min(4 * static_cast<size_t>(limits::kPromptBytes), kTimes * bytes + kPrefixes);
}

/// Bytes that a step of decoding may make of a token of `bytes`: none grows beyond 512, however many steps.
inline size_t most_decoded(size_t bytes) { return std::max<size_t>(512, bytes); }

/// Error naming `where` when a text of `bytes` has more than `most`.
inline void check_grown(size_t bytes, size_t most, const char* where,
                        ErrorCode code = ErrorCode::input_too_large) {
  if (bytes <= most) return;
  throw Error(code, {.where = where,
                     .got = "text that grew over " + std::to_string(most) + " bytes",
                     .expected = "at most as many"});
}

}  // namespace galago
