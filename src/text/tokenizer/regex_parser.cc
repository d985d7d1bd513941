// One function for each level: alternatives, sequence, repetition, atom. Options such as (?i) hold to the end
// of their group.
#include "text/tokenizer/regex_parser.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "core/printable.h"
#include "galago/error.h"
#include "text/unicode/unicode.h"

namespace galago::regex {
namespace {

constexpr int kDepth = 64;
constexpr int kChained = 16;              // repetitions of repetitions, as in a*+*+
constexpr size_t kSetParts = 128;         // sets within a set
constexpr uint32_t kMostTimes = 100'000;  // as in Oniguruma

struct Options {
  bool ignore_case = false;
  bool dot_all = false;
  bool extended = false;
};

class Parser {
 public:
  Parser(std::string_view text, const std::string& where) : text_(text), where_(where) {}

  Parsed run() {
    Parsed parsed;
    parsed.root = alternatives(0);
    if (at_ < text_.size()) invalid("a \")\" without its \"(\"");
    for (Set& set : sets_) set.finish();
    parsed.sets = std::move(sets_);
    return parsed;
  }

 private:
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

  Node character(Set set) {
    if (options_.ignore_case && !set.ignore_case()) unsupported("a long range whose case is ignored");
    Node node{.kind = Node::Kind::character};
    node.set = sets_.size();
    sets_.push_back(std::move(set));
    return node;
  }
  Node character(Set set, bool negated) {
    if (negated) set.negate();
    return character(std::move(set));
  }

  Node alternatives(int depth) {
    if (depth > kDepth) invalid("groups nested deeper than " + std::to_string(kDepth));
    const Options before = options_;
    Node node{.kind = Node::Kind::alternatives};
    do node.kids.push_back(sequence(depth));
    while (accept("|"));
    options_ = before;
    if (node.kids.size() > 1) return node;
    Node only = std::move(node.kids[0]);
    return only;
  }

  Node sequence(int depth) {
    Node node{.kind = Node::Kind::sequence};
    while (more() && !next_is("|") && !next_is(")")) {
      if (options_.extended && skip_extended()) continue;
      if (auto part = atom(depth)) node.kids.push_back(repeated(*std::move(part)));
    }
    return node;
  }

  /// White space and comments of (?x).
  bool skip_extended() {
    const size_t before = at_;
    while (more() && unicode::is_space(static_cast<unsigned char>(text_[at_]))) ++at_;
    if (next_is("#")) at_ = std::min(text_.find('\n', at_), text_.size());
    return at_ != before;
  }

  Node repeated(Node node) {
    for (int chained = 0;; ++chained) {
      const size_t begin = at_;
      uint32_t least = 0;
      uint32_t most = kUnlimited;
      const bool braces = next_is("{");
      if (accept("*")) {
      } else if (accept("+")) {
        least = 1;
      } else if (accept("?")) {
        most = 1;
      } else if (!braces || !counts(least, most)) {
        at_ = begin;
        return node;
      }
      if (chained >= kChained)
        invalid("more than " + std::to_string(kChained) + " repetitions of each other");
      Node repeat{.kind = Node::Kind::repeat};
      repeat.least = least;
      repeat.most = most;
      // x{2,3}+ is no possessive repetition but a repetition of x{2,3}, as in Oniguruma.
      if (accept("?")) {
        repeat.mode = Node::Mode::lazy;
      } else if (!braces && accept("+")) {
        repeat.mode = Node::Mode::possessive;
      }
      repeat.kids.push_back(std::move(node));
      node = std::move(repeat);
    }
  }

  /// {n}, {n,}, {n,m}, {,m}; false when the brace stands for itself.
  bool counts(uint32_t& least, uint32_t& most) {
    take();
    const auto first = number();
    const bool comma = accept(",");
    const auto second = comma ? number() : first;
    if (!accept("}") || (!first && !second)) return false;
    least = first.value_or(0);
    most = second.value_or(kUnlimited);
    if (most < least) invalid("a repetition of fewer times than the least");
    return true;
  }

  std::optional<uint32_t> number() {
    if (!more() || text_[at_] < '0' || text_[at_] > '9') return std::nullopt;
    uint32_t value = 0;
    while (more() && text_[at_] >= '0' && text_[at_] <= '9') {
      value = value * 10 + static_cast<uint32_t>(text_[at_++] - '0');
      if (value > kMostTimes) invalid("more than " + std::to_string(kMostTimes) + " repetitions");
    }
    return value;
  }

  /// Nothing for what only changes options or is a comment.
  std::optional<Node> atom(int depth) {
    const char32_t c = take();
    switch (c) {
      case '(':
        return group(depth);
      case '[': {
        Set set = bracket(depth);
        if (set.parts() > kSetParts) invalid("more than " + std::to_string(kSetParts) + " sets in a set");
        return character(std::move(set));
      }
      case '.':
        return options_.dot_all ? character(Set::of(0, 0x10FFFF)) : character(Set::of('\n', '\n'), true);
      case '^':
        return Node{.kind = Node::Kind::line_begin};
      case '$':
        return Node{.kind = Node::Kind::line_end};
      case '\\':
        return escape();
      case '*':
      case '+':
      case '?':
        invalid("a repetition of nothing");
      default:
        return character(Set::of(c, c));
    }
  }

  std::optional<Node> group(int depth) {
    Node node{.kind = Node::Kind::sequence};
    if (accept("?")) {
      if (accept("#")) {
        at_ = text_.find(')', at_);
        if (at_ == std::string_view::npos) at_ = text_.size();
        close();
        return std::nullopt;
      }
      if (accept("=") || accept("!")) {
        node.kind = Node::Kind::look;
        node.negated = text_[at_ - 1] == '!';
      } else if (accept("<=") || accept("<!")) {
        node.kind = Node::Kind::look;
        node.behind = true;
        node.negated = text_[at_ - 1] == '!';
      } else if (accept(">")) {
        node.kind = Node::Kind::atomic;
      } else if (accept("<") || accept("'")) {
        at_ = text_.find(text_[at_ - 1] == '<' ? '>' : '\'', at_);
        if (at_++ == std::string_view::npos) invalid("a group's name without an end");
      } else if (!accept(":")) {
        return group_options(depth);
      }
    }
    node.kids.push_back(alternatives(depth + 1));
    close();
    return node;
  }

  void close() {
    if (!accept(")")) invalid("a \"(\" without its \")\"");
  }

  /// (?im-x) for what follows, (?i:...) for a group.
  std::optional<Node> group_options(int depth) {
    const Options before = options_;
    bool on = true;
    for (;;) {
      const char32_t c = take();
      if (c == 'i') {
        options_.ignore_case = on;
      } else if (c == 'm') {
        options_.dot_all = on;
      } else if (c == 'x') {
        options_.extended = on;
      } else if (c == '-') {
        on = false;
      } else if (c == ')' || c == ':') {
        if (c == ':') break;
        // The options hold for the alternatives that follow too, as one group with them.
        Node rest = alternatives(depth + 1);
        return rest;
      } else {
        unsupported("this kind of group");
      }
    }
    Node node = alternatives(depth + 1);
    options_ = before;
    close();
    return node;
  }

  Node escape() {
    const char32_t c = take();
    switch (c) {
      case 'A':
        return Node{.kind = Node::Kind::text_begin};
      case 'z':
        return Node{.kind = Node::Kind::text_end};
      case 'Z':
        return Node{.kind = Node::Kind::last_line_end};
      case 'b':
      case 'B': {
        Node node{.kind = Node::Kind::word_border};
        node.negated = c == 'B';
        return node;
      }
      case 'N':
        return character(Set::of('\n', '\n'), true);
      case 'O':
        return character(Set::of(0, 0x10FFFF));
      case 'R':
        return any_line_break();
      default:
        break;
    }
    constexpr std::u32string_view kOthers = U"CGKMXYckgy123456789";
    if (kOthers.find(c) != std::u32string_view::npos) {
      --at_;
      unsupported("this escape");
    }
    if (auto set = class_escape(c, false)) return character(*std::move(set));
    const char32_t literal = character_escape(c);
    return character(Set::of(literal, literal));
  }

  /// \R: (?>\r\n|[\n-\r\x85\u2028\u2029])
  Node any_line_break() {
    Node pair{.kind = Node::Kind::sequence};
    pair.kids = {character(Set::of('\r', '\r')), character(Set::of('\n', '\n'))};
    Node either{.kind = Node::Kind::alternatives};
    either.kids = {std::move(pair), character(Set::line_break())};
    Node node{.kind = Node::Kind::atomic};
    node.kids.push_back(std::move(either));
    return node;
  }

  /// The set of an escape that stands for one.
  std::optional<Set> class_escape(char32_t c, bool in_brackets) {
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

  char32_t character_escape(char32_t c) {
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

  char32_t based(char32_t base, size_t most) {
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

  /// What stands between [ and ].
  Set bracket(int depth) {
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

  bool accept_posix(Set& set) {
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
    return true;
  }

  void element(Set& set) {
    char32_t c = take();
    if (c == '\\') {
      const char32_t escaped = take();
      if (auto other = class_escape(escaped, true)) return set.add(*std::move(other));
      c = escaped == 'b' ? '\b' : character_escape(escaped);
    }
    const bool range = next_is("-") && !next_is("-]") && !next_is("-&&") && !next_is("-[");
    if (!range) return set.add(c, c);
    const size_t dash = at_++;
    char32_t last = take();
    if (last == '\\') {
      const char32_t escaped = take();
      if (class_escape(escaped, true)) {  // [a-\d]: the dash stands for itself
        at_ = dash + 1;
        set.add('-', '-');
        return set.add(c, c);
      }
      last = character_escape(escaped);
    }
    if (last < c) invalid("a range that ends before it begins");
    set.add(c, last);
  }

  std::string_view text_;
  const std::string& where_;
  size_t at_ = 0;
  Options options_;
  std::vector<Set> sets_;
};

}  // namespace

Parsed parse(std::string_view expression, const std::string& where) {
  return Parser(expression, where).run();
}

}  // namespace galago::regex
