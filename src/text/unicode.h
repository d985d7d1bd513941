// The Unicode properties that tokenizers ask for; UTF-8 itself is in core/utf8.h.
// In: code points. Out: their categories. Categories are those of utf8proc; "space" is the White_Space
// property, "word" the \w of UTS 18. Reference: Unicode 15.
#pragma once

#include <string>
#include <string_view>

#include "core/utf8.h"

namespace galago::unicode {

/// Error{input_invalid} naming `where` and the offset unless the text is well-formed.
void require_well_formed(std::string_view text, const std::string& where);

bool is_letter(char32_t c);  ///< category L*
bool is_number(char32_t c);  ///< category N*
bool is_space(char32_t c);   ///< White_Space
bool is_word(char32_t c);    ///< letters, marks, decimal digits, connectors, joiners and other alphabetics
bool is_mark(char32_t c);    ///< category M*

}  // namespace galago::unicode
