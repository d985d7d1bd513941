// One function for each level: alternatives, sequence, repetition, atom. Options such as (?i) hold to the end
// of their group.
#include "text/tokenizer/regex_parser.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "text/tokenizer/regex_set_parser.h"
#include "text/unicode/unicode.h"

namespace galago::regex {
namespace {

constexpr int kChained = 16;              // repetitions of repetitions, as in a*+*+
constexpr size_t kSetParts = 128;         // sets within a set
constexpr uint32_t kMostTimes = 100'000;  // as in Oniguruma

struct Options {
  bool ignore_case = false;
  bool dot_all = false;
  bool extended = false;
};

class Parser : private SetParser {
 public:
  using SetParser::SetParser;

  Parsed run() {
    Parsed parsed;
    parsed.root = alternatives(0);
    if (at_ < text_.size()) invalid("a \")\" without its \"(\"");
    for (Set& set : sets_) set.finish();
    parsed.sets = std::move(sets_);
    return parsed;
  }

 private:
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
    if (node.kids.size() != 1) return node;
    Node only = std::move(node.kids[0]);
    return only;
  }

  /// White space and comments of (?x).
  bool skip_extended() {
    const size_t before = at_;
    while (more() && unicode::is_space(static_cast<unsigned char>(text_[at_]))) ++at_;
    if (next_is("#")) at_ = std::min(text_.find('\n', at_), text_.size());
    return at_ != before;
  }

  /// What matches no characters, only a place; also where one alternative is that.
  static bool is_anchor(const Node& node) {
    using Kind = Node::Kind;
    if (node.kind == Kind::alternatives) return std::any_of(node.kids.begin(), node.kids.end(), is_anchor);
    return node.kind == Kind::look || node.kind >= Kind::line_begin;
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
      if (is_anchor(node)) invalid("a repetition of a place");
      if (chained >= kChained)
        invalid("more than " + std::to_string(kChained) + " repetitions of each other");
      Node repeat{.kind = Node::Kind::repeat};
      repeat.least = least;
      repeat.most = most;
      // x{2,3}+ is no possessive repetition but a repetition of x{2,3}, and x{2}? no lazy one but an x{2}
      // that may be absent, as in Oniguruma.
      const bool fixed = braces && text_.substr(begin, at_ - begin).find(',') == std::string_view::npos;
      if (!fixed && accept("?")) {
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
      } else if (accept(":")) {
        Node inner = alternatives(depth + 1);
        close();
        return inner;
      } else {
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
    Node node{.kind = Node::Kind::sequence};
    node.kids.push_back(alternatives(depth + 1));
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

  Options options_;
  std::vector<Set> sets_;
};

}  // namespace

Parsed parse(std::string_view expression, const std::string& where) {
  return Parser(expression, where).run();
}

}  // namespace galago::regex
