// UTF-8 and the Unicode properties that tokenizers ask for.
// In: bytes or code points. Out: code points, categories, well-formed text. Categories are those of utf8proc;
// "space" is the White_Space property, "word" the \w of UTS 18. Reference: Unicode 15, RFC 3629.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace galago::unicode {

/// A code point and the bytes it takes; length 0 where the bytes are malformed or the text ends.
struct CodePoint {
  char32_t value = 0;
  int length = 0;
};

/// The code point that starts at `offset`.
CodePoint decode_at(std::string_view text, size_t offset);
/// The code point that ends right before `offset` (text must be well-formed before it).
CodePoint decode_before(std::string_view text, size_t offset);
/// Appends the UTF-8 form of a scalar value.
void append(std::string& out, char32_t value);

/// Offset of the first malformed byte; npos when the text is well-formed UTF-8.
size_t find_malformed(std::string_view text);
/// Error{input_invalid} naming `where` and the offset unless the text is well-formed.
void require_well_formed(std::string_view text, const std::string& where);
/// Code points of well-formed text.
size_t count(std::string_view text);

/// Moves the part of `pending` that is certain into the result: malformed sequences become U+FFFD, one for
/// each maximal ill-formed subpart (as Python's and Rust's decoders do). An unfinished character at the end
/// stays unless `last`.
std::string take_text(std::string& pending, bool last);

bool is_letter(char32_t c);  ///< category L*
bool is_number(char32_t c);  ///< category N*
bool is_space(char32_t c);   ///< White_Space
bool is_word(char32_t c);    ///< letters, marks, decimal digits, connectors, joiners and other alphabetics
bool is_mark(char32_t c);    ///< category M*

}  // namespace galago::unicode
