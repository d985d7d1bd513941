// The sets of a regular expression as they are written. In: an expression, from some place on. Out: sets.
// Reference: Oniguruma 6.9 doc/RE.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "core/printable.h"
#include "galago/error.h"
#include "text/tokenizer/regex_set.h"
#include "text/unicode/unicode.h"

namespace galago::regex {

/// Nested groups, and nested sets.
inline constexpr int kDepth = 64;

/// Reads on in an expression; what it takes is behind `at_` afterwards.
class SetParser {
 public:
  SetParser(std::string_view text, const std::string& where) : text_(text), where_(where) {}

 protected:
  [[noreturn]] void fail(ErrorCode code, const std::string& what) const {
    throw Error(code,
                {.where = where_,
                 .got = "the pattern " + in_quotes(text_) + ": " + what + " at offset " + std::to_string(at_),
                 .expected = "a regular expression"});
  }
  [[noreturn]] void invalid(const std::string& what) const { fail(ErrorCode::model_invalid, what); }
  [[noreturn]] void unsupported(const std::string& what) const { fail(ErrorCode::model_unsupported, what); }

  bool more() const { return at_ < text_.size(); }
  bool next_is(std::string_view what) const { return text_.substr(at_).starts_with(what); }
  bool accept(std::string_view what) {
    if (!next_is(what)) return false;
    at_ += what.size();
    return true;
  }
  char32_t take() {
    if (!more()) invalid("an expression that ends too early");
    const auto c = unicode::decode_at(text_, at_);
    at_ += static_cast<size_t>(c.length);
    return c.value;
  }

  /// The set of an escape that stands for one: what follows a backslash.
  std::optional<Set> class_escape(char32_t c, bool in_brackets);
  /// The character of another escape.
  char32_t character_escape(char32_t c);
  /// What stands between [ and ].
  Set bracket(int depth);

  std::string_view text_;
  const std::string& where_;
  size_t at_ = 0;

 private:
  char32_t based(char32_t base, size_t most);
  bool accept_posix(Set& set);
  void check_no_range();
  void element(Set& set);
};

}  // namespace galago::regex
