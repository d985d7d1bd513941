// Regular expressions with a budget of steps.
// In: an expression in Oniguruma's syntax, UTF-8 text. Out: matches, leftmost first, in bytes. Unicode's
// tables are the project's own. Reference: Oniguruma 6.9 as tokenizers 0.23 uses it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "text/tokenizer/regex_parser.h"
#include "text/tokenizer/regex_set.h"

namespace galago::regex {

/// One step of the compiled form. It leads to the next one, or where a and b say.
struct Instruction {
  enum class Op {
    character,    ///< a character of sets[set]
    run,          ///< least to most characters of sets[set], in `mode`
    split,        ///< a first, b when that fails
    jump,         ///< a
    look,         ///< the part up to the next accept matches, or not (negated); on at a
    look_behind,  ///< the same, `least` characters back, ending here
    atomic,       ///< the part up to the next accept, once; on at a
    mark,         ///< remembers the place as set
    moved,        ///< on at a where nothing was matched since mark `set`
    assertion,    ///< kind
    accept,
  };
  Op op = Op::accept;
  size_t a = 0;
  size_t b = 0;
  size_t set = 0;
  uint32_t least = 0;
  uint32_t most = 0;
  Node::Mode mode = Node::Mode::greedy;
  Node::Kind kind = Node::Kind::sequence;
  bool negated = false;
};

/// Immutable, thread-safe.
class Regex {
 public:
  /// Error{model_invalid} for a malformed expression and for one that becomes too long,
  /// Error{model_unsupported} for what is outside the syntax that is read.
  Regex(std::string_view expression, const std::string& where);

  /// Calls visit(begin, end) for each match, from left to right; an empty match right behind another one is
  /// none. Error{model_invalid} when the expression takes too many steps.
  void for_each(std::string_view text, const std::function<void(size_t, size_t)>& visit) const;

 private:
  class Compiler;
  class Matcher;

  std::vector<Instruction> program_;
  std::vector<Set> sets_;
  size_t marks_ = 0;
  std::string where_;
};

}  // namespace galago::regex
