// Grammars as text: those that callers write, and the words that ours are made of. In: EBNF, GBNF. Out: EBNF
// for xgrammar, within grammar_limits.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "galago/error.h"

namespace galago {

/// A caller's grammar with what GBNF writes otherwise rewritten. Error{input_invalid} with line and column
/// for what is no grammar or an extension that is not taken; Error{input_too_large} over grammar_limits.
std::string checked_grammar(std::string_view text);

/// "text" as a literal of EBNF; the text is UTF-8.
std::string ebnf_literal(std::string_view text);
/// A character as it is written in a class of EBNF.
std::string ebnf_class_character(char32_t character);

/// Throws Error{input_invalid}.
[[noreturn]] void fail_definition(const std::string& where, const std::string& got,
                                  const std::string& expected = {}, const std::string& hint = {});
/// Throws Error{input_too_large} when there is more than `most` of `what`.
void expect_at_most(int64_t amount, int64_t most, const std::string& where, const std::string& what);

}  // namespace galago
