// Escapes that stand for sets, and what stands in brackets: ranges, sets within sets, && between them.
#include "text/tokenizer/regex_set_parser.h"

#include <utility>

#include "core/printable.h"

namespace galago::regex {

std::optional<Set> SetParser::class_escape(char32_t c, bool in_brackets) {
  std::optional<Set> set;
  const char32_t lower = c | 0x20U;
  if (lower == 's') set = Set::space();
  if (lower == 'd') set = Set::digit();
  if (lower == 'w') set = Set::word(in_brackets);
  if (lower == 'h') set = Set::hexadecimal();
  bool negated = c != lower;
  if (lower == 'p' && accept("{")) {
    negated ^= accept("^");
    const size_t end = text_.find('}', at_);
    if (end == std::string_view::npos) invalid("a property without \"}\"");
    const std::string_view name = text_.substr(at_, end - at_);
    set = Set::named(name, in_brackets);
    if (!set) unsupported("the property " + in_quotes(name));
    at_ = end + 1;
  }
  if (set && negated) set->negate();
  return set;
}

char32_t SetParser::character_escape(char32_t c) {
  switch (c) {
    case 't':
      return '\t';
    case 'n':
      return '\n';
    case 'r':
      return '\r';
    case 'f':
      return '\f';
    case 'v':
      return '\v';
    case 'a':
      return '\a';
    case 'e':
      return 0x1B;
    case '0':
      return based(8, 2);
    case 'u':
      return based(16, 4);
    case 'x': {
      if (!accept("{")) return based(16, 2);
      const char32_t value = based(16, 8);
      if (!accept("}")) invalid("a code point without \"}\"");
      return value;
    }
    default:
      return c;
  }
}

char32_t SetParser::based(char32_t base, size_t most) {
  char32_t value = 0;
  for (; more() && most > 0; --most, ++at_) {
    const char c = static_cast<char>(text_[at_] | 0x20);
    const char32_t digit =
        c >= 'a' ? static_cast<char32_t>(c - 'a') + 10 : static_cast<char32_t>(text_[at_] - '0');
    if (digit >= base) break;
    value = value * base + digit;
  }
  if (value > 0x10FFFF || (value >= 0xD800 && value < 0xE000)) invalid("a number that is no code point");
  return value;
}

Set SetParser::bracket(int depth) {
  if (depth > kDepth) invalid("sets nested deeper than " + std::to_string(kDepth));
  const bool negated = accept("^");
  Set set;
  std::vector<Set> before;  // the sides of && so far
  for (bool first = true;; first = false) {
    if (!first && accept("]")) break;
    if (accept("&&")) {
      before.push_back(std::exchange(set, Set()));
    } else if (next_is("[:") && accept_posix(set)) {
    } else if (accept("[")) {
      set.add(bracket(depth + 1));
    } else {
      element(set);
    }
  }
  for (Set& side : before) set.intersect(std::move(side));
  if (negated) set.negate();
  return set;
}

bool SetParser::accept_posix(Set& set) {
  const size_t end = text_.find(":]", at_);
  if (end == std::string_view::npos) return false;
  std::string_view name = text_.substr(at_ + 2, end - at_ - 2);
  const bool negated = name.starts_with('^');
  if (negated) name.remove_prefix(1);
  auto named = Set::named(name, true);
  if (!named) unsupported("the class " + in_quotes(name));
  if (name == "punct") named->add(*Set::named("symbol", true));  // as a bracket it has the symbols too
  if (negated) named->negate();
  set.add(*std::move(named));
  at_ = end + 2;
  check_no_range();
  return true;
}

/// Behind a class a dash begins no range: only the last one of the brackets stands for itself.
void SetParser::check_no_range() {
  if (next_is("-") && !next_is("-]") && !next_is("-&&")) invalid("a range that begins with a class");
}

void SetParser::element(Set& set) {
  char32_t c = take();
  if (c == '\\') {
    const char32_t escaped = take();
    if (auto other = class_escape(escaped, true)) {
      set.add(*std::move(other));
      return check_no_range();
    }
    c = escaped == 'b' ? '\b' : character_escape(escaped);
  }
  if (next_is("-[:")) {
    Set named;
    ++at_;
    if (accept_posix(named)) invalid("a range that ends with a class");
    --at_;
  }
  const bool range = next_is("-") && !next_is("-]") && !next_is("-&&") && !next_is("-[");
  if (!range) return set.add(c, c);
  ++at_;
  char32_t last = take();
  if (last == '\\') {
    const char32_t escaped = take();
    if (class_escape(escaped, true)) invalid("a range that ends with a class");
    last = character_escape(escaped);
  }
  if (last < c) invalid("a range that ends before it begins");
  set.add(c, last);
}

}  // namespace galago::regex
