// Base64 (RFC 4648, section 4) and hexadecimal digits. In: text. Out: bytes, or nothing where it is
// malformed.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace galago {

/// The value of a hexadecimal digit; -1 for any other character.
constexpr int hex_digit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  const char lower = static_cast<char>(c | 0x20);
  return lower >= 'a' && lower <= 'f' ? lower - 'a' + 10 : -1;
}

/// Whether the character stands for six bits.
bool is_base64_digit(char c);
/// The bytes of base64 text, whose padding may be missing; nothing when it is malformed.
std::optional<std::string> from_base64(std::string_view text);
/// Bytes as base64, padded.
std::string to_base64(std::string_view bytes);

}  // namespace galago
