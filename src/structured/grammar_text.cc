// See the header.
#include "structured/grammar_text.h"

#include <algorithm>
#include <array>
#include <cctype>
#include <cstdio>
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
    if (rules_ == 0) fail(0, "no rule", "root ::= ...");
    return std::move(out_);
  }

 private:
  struct Group {
    int64_t size = 0;
    int64_t last = 0;  // of the element that a repetition would repeat
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
      const int64_t size = groups_.back().size;
      groups_.pop_back();
      element(size);
      copy(1);
    } else if (kSpaces.find(c) != std::string_view::npos || c == '|' || c == '*' || c == '+' || c == '?') {
      copy(1);
    } else if (text_.substr(at_).starts_with("::=")) {
      expect_at_most(++rules_, grammar_limits::kRules, "grammar", "rules");
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
    element(1);
    if (word == ".") {  // any character, as GBNF has it
      out_ += "[\\x01-\\ud7ff\\ue000-\\U0010ffff]";
      at_ = end;
    } else {
      copy(end - at_);
    }
  }

  void element(int64_t size) {
    grow(size);
    groups_.back().last = size;
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
  std::vector<Group> groups_ = {{}};
  int64_t rules_ = 0;
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
