// The Unicode properties that tokenizers ask for; UTF-8 itself is in core/utf8.h.
// In: code points. Out: their categories and properties. The tables are the project's own (unicode_tables.h),
// of the versions that the parts of the reference know. Reference: tokenizers 0.23; Unicode 16 where nothing
// else is said.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "core/utf8.h"

namespace galago::unicode {

/// Error{input_invalid} naming `where` and the offset unless the text is well-formed.
void require_well_formed(std::string_view text, const std::string& where);
/// The general category; the order is that of the table.
enum class Category : uint8_t {
  cn,
  lu,
  ll,
  lt,
  lm,
  lo,
  mn,
  mc,
  me,
  nd,
  nl,
  no,
  pc,
  pd,
  ps,
  pe,
  pi,
  pf,
  po,
  sm,
  sc,
  sk,
  so,
  zs,
  zl,
  zp,
  cc,
  cf,
  cs,
  co
};
Category category(char32_t c);
/// Whether the category is one of a set of bits, 1 << category each.
inline bool in_categories(char32_t c, uint32_t set) {
  return (set >> static_cast<unsigned>(category(c)) & 1U) != 0;
}
/// The bits of the categories `first` to `last`.
constexpr uint32_t category_bits(Category first, Category last) {
  uint32_t bits = 0;
  for (auto i = static_cast<unsigned>(first); i <= static_cast<unsigned>(last); ++i) bits |= 1U << i;
  return bits;
}
inline constexpr uint32_t kLetters = category_bits(Category::lu, Category::lo);
inline constexpr uint32_t kMarks = category_bits(Category::mn, Category::me);
inline constexpr uint32_t kNumbers = category_bits(Category::nd, Category::no);
inline constexpr uint32_t kPunctuation = category_bits(Category::pc, Category::po);
inline constexpr uint32_t kSymbols = category_bits(Category::sm, Category::so);
inline constexpr uint32_t kSeparators = category_bits(Category::zs, Category::zp);

bool is_letter(char32_t c);        ///< category L*
bool is_number(char32_t c);        ///< category N*
bool is_space(char32_t c);         ///< White_Space
bool is_alphabetic(char32_t c);    ///< the property Alphabetic
bool is_lowercase(char32_t c);     ///< the property Lowercase
bool is_uppercase(char32_t c);     ///< the property Uppercase
bool is_word(char32_t c);          ///< \w of UTS 18: alphabetics, marks, decimal digits, connectors, joiners
bool is_rust_numeric(char32_t c);  ///< Rust's char::is_numeric: N* of Unicode 17
bool is_accent(char32_t c);        ///< M* of Unicode 9, which StripAccents takes away

// Python's str methods.
bool is_python_space(char32_t c);      ///< isspace: the separators of ASCII too
bool is_python_digit(char32_t c);      ///< isdigit: decimal digits, superscripts and circled ones
bool is_python_numeric(char32_t c);    ///< isnumeric
bool is_python_printable(char32_t c);  ///< isprintable: what repr() writes as it is

// What the reference does for BERT knows Unicode 8.
bool is_bert_punctuation(char32_t c);  ///< P* and the signs of ASCII
bool is_bert_accent(char32_t c);       ///< Mn
bool is_bert_control(char32_t c);      ///< C* but tab and line breaks, and U+FFFD
bool is_bert_chinese(char32_t c);      ///< ideographs, which BERT sets apart

}  // namespace galago::unicode
