// Upper, lower and title case.
// In: code points or UTF-8. Out: UTF-8; one character may become up to three (ß to SS, ﬁ to FI). Reference:
// Unicode's full case mappings without language, which Python's str methods and Rust's char use; Unicode 17
// for lower case, 16 for the others.
#pragma once

#include <string>
#include <string_view>

namespace galago::unicode {

void append_lower(std::string& out, char32_t c);
void append_upper(std::string& out, char32_t c);
void append_title(std::string& out, char32_t c);

/// The code points that case folding makes equal to `c` one to one: s, S and ſ for each of them.
std::u32string case_variants(char32_t c);

/// Whether the property Cased holds: letters that have a case, and what looks like them.
bool is_cased(char32_t c);
/// Whether a capital sigma at `at` of `text` is the last letter of a word, where lower case is ς.
bool is_final_sigma(std::string_view text, size_t at);
/// Appends the lower case of the character at `at`, as Python's str.lower: a final sigma becomes ς. Returns
/// its length.
size_t append_lower_at(std::string& out, std::string_view text, size_t at);
/// Python's str.lower.
std::string python_lower(std::string_view text);

inline constexpr char32_t kSigma = 0x3A3;

}  // namespace galago::unicode
