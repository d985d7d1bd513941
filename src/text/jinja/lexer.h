// The tokens of a chat template. In: its source. Out: data, tags, names, literals and operators, with lines.
// White space around tags goes as transformers' environment has it: trim_blocks and lstrip_blocks are on, "-"
// strips and "+" keeps, and one line break at the end of the source is dropped. Reference: Jinja 3.1 lexer.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace galago::jinja {

struct Token {
  enum class Kind {
    data,
    variable_begin,
    variable_end,
    block_begin,
    block_end,
    name,
    string,
    integer,
    floating,
    op,
    end
  };
  Kind kind = Kind::end;
  std::string text;  ///< data, name, string's value, number's digits, operator
  int line = 1;
};

/// Error{model_invalid} with the line of what is malformed; the last token is Kind::end.
std::vector<Token> tokenize(std::string_view source, const std::string& where);

}  // namespace galago::jinja
