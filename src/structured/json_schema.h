// JSON as grammars: any object, or what a schema allows. In: JSON Schema 2020-12 as far as
// docs/structured-answers.md says. Out: EBNF whose texts all validate, on one line, with ", " and ": ".
#pragma once

#include <string>
#include <string_view>

namespace galago {

std::string ebnf_of_json_object();
/// Error{input_invalid} with a JSON pointer for a schema that is none, that no value satisfies, or that has a
/// keyword which is not promised; Error{input_too_large} over grammar_limits.
std::string ebnf_of_schema(std::string_view schema);

}  // namespace galago
