// See the header.
#include "structured/grammar_text.h"

#include <algorithm>
#include <array>
#include <cctype>
#include <cstdio>
#include <map>
#include <set>
#include <vector>

#include "core/utf8.h"
#include "structured/grammar.h"

namespace galago {
namespace {

constexpr std::string_view kSpaces = " \t\r\n";

bool is_name(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '-' ||
         c == '.';
}

std::string hex(char32_t value) {
  std::array<char, 16> digits{};
  std::snprintf(digits.data(), digits.size(), "\\U%08x", static_cast<unsigned>(value));
  return digits.data();
}

/// Walks a grammar once, copies it, and counts.
class GrammarReader {
 public:
  explicit GrammarReader(std::string_view text) : text_(text) {}

  std::string read() {
    if (const size_t at = text_.find('\0'); at != std::string_view::npos) fail(at, "a NUL byte");
    if (const size_t at = unicode::find_malformed(text_); at != std::string_view::npos)
      fail(at, "malformed UTF-8");
    while (at_ < text_.size()) step();
    if (groups_.size() > 1) fail(at_, "the end of the text", ")");
    if (rules_.empty()) fail(0, "no rule", "root ::= ...");
    expect_ends();
    return std::move(out_);
  }

 private:
  /// What a rule or a group refers to, for whether it can come to an end.
  struct Element {
    std::string rule;  // a name; empty: characters, or
    int group = -1;    // a group
    bool optional = false;
  };
  using Alternatives = std::vector<std::vector<Element>>;
  struct Group {
    int64_t size = 0;
    int64_t last = 0;  // of the element that a repetition would repeat
    int index = 0;     // of its alternatives
  };

  [[noreturn]] void fail(size_t at, const std::string& got, const std::string& expected = {}) const {
    size_t line = 1;
    size_t begin = 0;
    for (size_t i = 0; i < at; ++i)
      if (text_[i] == '\n') {
        ++line;
        begin = i + 1;
      }
    fail_definition("grammar, line " + std::to_string(line) + ", column " + std::to_string(at - begin + 1),
                    got, expected);
  }

  void step() {
    const char c = text_[at_];
    if (c == '#') {
      while (at_ < text_.size() && text_[at_] != '\n') ++at_;
    } else if (c == '"') {
      literal();
    } else if (c == '[') {
      character_class();
    } else if (c == '{') {
      repetition();
    } else if (is_name(c)) {
      name();
    } else if (c == '(') {
      if (text_.substr(at_).starts_with("(=")) fail(at_, "a lookahead", "a group");
      expect_at_most(static_cast<int64_t>(groups_.size()), grammar_limits::kDepth, "grammar",
                     "nested groups");
      groups_.push_back({});
      copy(1);
    } else if (c == ')') {
      if (groups_.size() == 1) fail(at_, ") without (");
      const Group group = groups_.back();
      groups_.pop_back();
      element(group.size, {.group = group.index});
      copy(1);
    } else if (c == '|') {
      alternatives_[static_cast<size_t>(groups_.back().index)].emplace_back();
      copy(1);
    } else if (c == '*' || c == '+' || c == '?') {
      if (c != '+') make_optional();
      copy(1);
    } else if (kSpaces.find(c) != std::string_view::npos) {
      copy(1);
    } else if (text_.substr(at_).starts_with("::=")) {
      begin_rule();
      copy(3);
    } else {
      fail(at_,
           "\"" + std::string(text_.substr(at_, static_cast<size_t>(unicode::decode_at(text_, at_).length))) +
               "\"",
           "a rule, a literal, a class, a group or a repetition");
    }
  }

  void literal() {
    size_t end = at_ + 1;
    while (end < text_.size() && text_[end] != '"' && text_[end] != '\n') end += text_[end] == '\\' ? 2 : 1;
    if (end >= text_.size() || text_[end] != '"') fail(at_, "a literal without its closing quote");
    element(static_cast<int64_t>(end - at_));
    copy_escapes(end + 1);
  }

  /// Up to `end`, escapes as EBNF has them: GBNF's \\[ and \\] in a literal are not escaped there, and its
  /// \\x has two digits, there any number.
  void copy_escapes(size_t end) {
    const bool literal = text_[at_] == '"';
    while (at_ < end) {
      if (text_[at_] != '\\') {
        out_ += text_[at_++];
        continue;
      }
      const char c = text_[at_ + 1];
      if (c == 'x' || c == 'u' || c == 'U') {
        const size_t digits = c == 'x' ? 2 : c == 'u' ? 4 : 8;
        char32_t value = 0;
        for (size_t i = 0; i < digits; ++i) {
          const char digit = text_[at_ + 2 + i];
          if (at_ + 2 + i >= end || !std::isxdigit(static_cast<unsigned char>(digit)))
            fail(at_, "an escape without its digits");
          value = value * 16 + static_cast<char32_t>(digit <= '9' ? digit - '0' : (digit | 0x20) - 'a' + 10);
        }
        if (value > 0x10ffff || (value >= 0xd800 && value <= 0xdfff)) fail(at_, "an escape of no character");
        out_ += hex(value);
        at_ += 2 + digits;
      } else {
        if (!literal || (c != '[' && c != ']')) out_ += '\\';
        out_ += c;
        at_ += 2;
      }
    }
  }

  void character_class() {
    size_t end = at_ + 1;
    while (end < text_.size() && text_[end] != ']' && text_[end] != '\n') end += text_[end] == '\\' ? 2 : 1;
    if (end >= text_.size() || text_[end] != ']') fail(at_, "a class without its closing bracket");
    if (end == at_ + 1) fail(at_, "a class of nothing");
    size_t after = end + 1;
    while (after < text_.size() && (text_[after] == ' ' || text_[after] == '\t')) ++after;
    if (text_.substr(after).starts_with("::=")) fail(at_, "an attribute of a rule", "name ::= ...");
    element(1);
    const bool negated = text_[at_ + 1] == '^';
    copy_escapes(end);
    if (negated) out_ += "\\ud800-\\udfff";  // no characters, but not left out by themselves
    copy(1);
  }

  void repetition() {
    const size_t end = text_.find('}', at_);
    if (end == std::string_view::npos || end - at_ > 32) fail(at_, "a repetition without its closing brace");
    if (at_ + 1 < text_.size() && (text_[at_ + 1] == '0' || text_[at_ + 1] == ',')) make_optional();
    int64_t most = 0;
    int64_t number = 0;
    for (size_t i = at_ + 1; i <= end; ++i) {
      const char c = text_[i];
      if (c >= '0' && c <= '9') {
        number = number * 10 + (c - '0');
        expect_at_most(number, grammar_limits::kRepeat,
                       "grammar, " + std::string(text_.substr(at_, end - at_ + 1)), "repetitions");
      } else if (c == ',' || c == '}') {
        most = std::max(most, number);
        number = 0;
      } else if (c != ' ') {
        fail(i, "\"" + std::string(1, c) + "\" in a repetition", "{m}, {m,} or {m,n}");
      }
    }
    grow(groups_.back().last * (most - 1));
    copy(end + 1 - at_);
  }

  void name() {
    size_t end = at_;
    while (end < text_.size() && is_name(text_[end])) ++end;
    const std::string word(text_.substr(at_, end - at_));
    static const std::set<std::string, std::less<>> kExtensions = {
        "TagDispatch", "TokenTagDispatch", "Token", "ExcludeToken", "Regex", "Substring"};
    if (kExtensions.contains(word)) fail(at_, word, "a rule of the grammar");
    element(1, {.rule = word == "." ? "" : word});
    if (word == ".") {  // any character, as GBNF has it
      out_ += "[\\x01-\\ud7ff\\ue000-\\U0010ffff]";
      at_ = end;
    } else {
      copy(end - at_);
    }
  }

  void element(int64_t size) { element(size, Element()); }
  void element(int64_t size, Element what) {
    grow(size);
    groups_.back().last = size;
    alternatives_[static_cast<size_t>(groups_.back().index)].back().push_back(std::move(what));
  }

  int new_alternatives() {
    alternatives_.push_back({{}});
    return static_cast<int>(alternatives_.size()) - 1;
  }

  /// The name before ::= was taken for an element of the rule before.
  void begin_rule() {
    auto& before = alternatives_[static_cast<size_t>(groups_.back().index)].back();
    if (groups_.size() > 1 || before.empty() || before.back().rule.empty())
      fail(at_, "::= without the name of a rule");
    const std::string rule_name = before.back().rule;
    before.pop_back();
    expect_at_most(static_cast<int64_t>(rules_.size()) + 1, grammar_limits::kRules, "grammar", "rules");
    groups_.back().index = new_alternatives();
    if (!rules_.emplace(rule_name, groups_.back().index).second)
      fail(at_, "the rule " + rule_name + " for the second time");
  }

  /// A repetition may repeat it not at all; more than a few hundred such take xgrammar long.
  void make_optional() {
    auto& alternative = alternatives_[static_cast<size_t>(groups_.back().index)].back();
    if (alternative.empty()) fail(at_, "a repetition of nothing");
    alternative.back().optional = true;
    expect_at_most(
        std::count_if(alternative.begin(), alternative.end(), [](const Element& e) { return e.optional; }),
        grammar_limits::kOptional, "grammar", "elements in a row that may be left out");
  }

  /// A rule that leads to itself without end would have answers without end.
  void expect_ends() {
    for (auto& all : alternatives_)
      for (auto& alternative : all)
        for (Element& e : alternative)
          if (const auto found = rules_.find(e.rule); found != rules_.end()) e.group = found->second;
    std::vector<bool> ends(alternatives_.size());
    // A rule that is not defined is xgrammar's to find.
    const auto element_ends = [&](const Element& e) {
      return e.optional || e.group < 0 || ends[static_cast<size_t>(e.group)];
    };
    for (bool changed = true; changed;) {
      changed = false;
      for (size_t i = alternatives_.size(); i-- > 0;) {
        const auto& all = alternatives_[i];
        if (ends[i] || std::none_of(all.begin(), all.end(), [&](const auto& one) {
              return std::all_of(one.begin(), one.end(), element_ends);
            }))
          continue;
        ends[i] = changed = true;
      }
    }
    for (const auto& [rule_name, index] : rules_)
      if (!ends[static_cast<size_t>(index)])
        fail_definition("grammar, rule " + rule_name, "a rule that has no end", "a way out of it");
  }
  void grow(int64_t size) {
    groups_.back().size += size;
    expect_at_most(groups_.back().size, grammar_limits::kSize, "grammar",
                   "characters and classes, as often as they are repeated");
  }
  void copy(size_t n) {
    out_ += text_.substr(at_, n);
    at_ += n;
  }

  std::string_view text_;
  size_t at_ = 0;
  std::string out_;
  std::vector<Alternatives> alternatives_ = {
      {{}}};  // of what stands before the first rule, then of rules and groups
  std::vector<Group> groups_ = {{}};
  std::map<std::string, int> rules_;
};

}  // namespace

std::string checked_grammar(std::string_view text) {
  expect_at_most(static_cast<int64_t>(text.size()), grammar_limits::kBytes, "grammar", "bytes");
  return GrammarReader(text).read();
}

std::string ebnf_literal(std::string_view text) {
  std::string out = "\"";
  for (size_t at = 0; at < text.size();) {
    const auto [value, length] = unicode::decode_at(text, at);
    if (value < 0x20 || value == '"' || value == '\\' || value == 0x7f)
      out += hex(value);
    else
      out += text.substr(at, static_cast<size_t>(length));
    at += static_cast<size_t>(length);
  }
  return out + "\"";
}

std::string ebnf_class_character(char32_t character) {
  const bool plain = (character >= 'a' && character <= 'z') || (character >= 'A' && character <= 'Z') ||
                     (character >= '0' && character <= '9');
  return plain ? std::string(1, static_cast<char>(character)) : hex(character);
}

void fail_definition(const std::string& where, const std::string& got, const std::string& expected,
                     const std::string& hint) {
  throw Error(ErrorCode::input_invalid, {.where = where, .got = got, .expected = expected, .hint = hint});
}

void expect_at_most(int64_t amount, int64_t most, const std::string& where, const std::string& what) {
  if (amount > most)
    throw Error(ErrorCode::input_too_large, {.where = where,
                                             .got = std::to_string(amount) + " " + what,
                                             .expected = "up to " + std::to_string(most)});
}

}  // namespace galago
