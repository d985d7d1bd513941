// Regular expressions as they are written, to a tree.
// In: an expression in Oniguruma's syntax. Out: a tree of nodes. Groups are for grouping only: nothing that
// asks what one of them matched is taken. Reference: Oniguruma 6.9 doc/RE.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "text/tokenizer/regex_set.h"

namespace galago::regex {

/// Repetitions without a bound.
inline constexpr uint32_t kUnlimited = UINT32_MAX;

struct Node {
  enum class Kind {
    character,      ///< one of sets[set]
    sequence,       ///< the kids, one after the other
    alternatives,   ///< the first kid that leads to a match
    repeat,         ///< kids[0], least to most times
    look,           ///< kids[0] matches here (or, behind, up to here), or does not
    atomic,         ///< kids[0], in the first way that it matches
    line_begin,     ///< ^
    line_end,       ///< $
    text_begin,     ///< \A
    text_end,       ///< \z
    last_line_end,  ///< \Z
    word_border,    ///< \b, or \B
  };
  enum class Mode { greedy, lazy, possessive };

  Kind kind = Kind::sequence;
  std::vector<Node> kids;
  size_t set = 0;
  uint32_t least = 0;
  uint32_t most = 0;
  Mode mode = Mode::greedy;
  bool behind = false;
  bool negated = false;
};

struct Parsed {
  Node root;
  std::vector<Set> sets;
};

/// Error{model_invalid} for a malformed expression, Error{model_unsupported} for what is outside the syntax
/// that is read; both name `where`, the expression and the place in it.
Parsed parse(std::string_view expression, const std::string& where);

}  // namespace galago::regex
