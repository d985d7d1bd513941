// Regular expressions as grammars. In: a pattern as Python's `re` and ECMAScript write it alike. Out: EBNF
// whose texts it matches, as a text of its own or between the quotes of a JSON string.
#pragma once

#include <string>
#include <string_view>

namespace galago {

/// Rules from `root` on, for texts that the pattern matches as a whole. Error{input_invalid} with the offset;
/// Error{input_too_large} over grammar_limits.
std::string ebnf_of_regex(std::string_view pattern);

/// An expression for the contents of a JSON string (between its quotes) in which the pattern is found; it
/// refers to the rule `chars`. Errors as above, in which `where` stands first.
std::string ebnf_of_json_pattern(std::string_view pattern, const std::string& where);

}  // namespace galago
