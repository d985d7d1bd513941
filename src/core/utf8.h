// UTF-8: bytes to code points and back.
// In: any bytes. Out: code points, well-formed text, or where it is malformed. Reference: RFC 3629; Unicode's
// maximal ill-formed subparts.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace galago::unicode {

/// A code point and the bytes it takes. A byte that begins no well-formed character counts as U+FFFD of
/// length 1, so that a walk by lengths always ends; length 0 is the end of the text and nothing else.
struct CodePoint {
  char32_t value = 0;
  int length = 0;
};

/// The code point that starts at `offset`.
CodePoint decode_at(std::string_view text, size_t offset);
/// The code point that ends right before `offset`.
CodePoint decode_before(std::string_view text, size_t offset);
/// Whether a character of well-formed text may begin with this byte: it continues none.
inline bool begins_character(char byte) { return (static_cast<unsigned char>(byte) & 0xC0) != 0x80; }
/// Appends the UTF-8 form of a scalar value.
void append(std::string& out, char32_t value);

/// Offset of the first malformed byte; npos when the text is well-formed UTF-8.
size_t find_malformed(std::string_view text);
/// Code points of well-formed text.
size_t count(std::string_view text);

/// Moves the part of `pending` that is certain into the result: malformed sequences become U+FFFD, one for
/// each maximal ill-formed subpart (as Python's and Rust's decoders do). An unfinished character at the end
/// stays unless `last`.
std::string take_text(std::string& pending, bool last);

}  // namespace galago::unicode
