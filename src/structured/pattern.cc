// See the header.
#include "structured/pattern.h"

#include <algorithm>
#include <cstdint>
#include <optional>
#include <vector>

#include "core/utf8.h"
#include "structured/grammar.h"
#include "structured/grammar_text.h"

namespace galago {
namespace {

constexpr char32_t kLast = 0x10ffff;

struct Range {
  char32_t first;
  char32_t last;
};
using Set = std::vector<Range>;

Set normal(Set set) {
  std::sort(set.begin(), set.end(), [](const Range& a, const Range& b) { return a.first < b.first; });
  Set out;
  for (const Range& range : set) {
    if (!out.empty() && range.first <= out.back().last + 1)
      out.back().last = std::max(out.back().last, range.last);
    else
      out.push_back(range);
  }
  return out;
}

Set complement(const Set& set) {
  Set out;
  char32_t next = 0;
  for (const Range& range : normal(set)) {
    if (range.first > next) out.push_back({next, range.first - 1});
    next = range.last + 1;
  }
  if (next <= kLast) out.push_back({next, kLast});
  return out;
}

/// a without b.
Set without(const Set& a, const Set& b) {
  Set other = complement(a);
  other.insert(other.end(), b.begin(), b.end());
  return complement(other);
}

bool contains(const Set& set, char32_t c) {
  return std::any_of(set.begin(), set.end(), [c](const Range& r) { return r.first <= c && c <= r.last; });
}

const Set kDigits = {{'0', '9'}};
const Set kWord = {{'0', '9'}, {'A', 'Z'}, {'_', '_'}, {'a', 'z'}};
const Set kSpace = {{'\t', '\r'}, {' ', ' '}};
// What either of Python and ECMAScript counts as white space.
const Set kAnySpace = {{'\t', '\r'},     {0x1c, ' '},      {0x85, 0x85},     {0xa0, 0xa0},
                       {0x1680, 0x1680}, {0x2000, 0x200a}, {0x2028, 0x2029}, {0x202f, 0x202f},
                       {0x205f, 0x205f}, {0x3000, 0x3000}, {0xfeff, 0xfeff}};
const Set kLineEnds = {{'\n', '\n'}, {'\r', '\r'}, {0x2028, 0x2029}};
const Set kAscii = {{0, 0x7f}};
const Set kSurrogates = {{0xd800, 0xdfff}};
// What a JSON string does not hold as it is.
const Set kEscaped = {{0, 0x1f}, {'"', '"'}, {'\\', '\\'}, {0x7f, 0x7f}};

/// A class by what it leaves out: only so does xgrammar count its repetitions fast.
std::string class_of(const Set& set) {
  std::string out = "[^";
  for (const Range& range : complement(set)) {
    out += ebnf_class_character(range.first);
    if (range.last > range.first) out += "-" + ebnf_class_character(range.last);
  }
  return out + "]";
}

/// Parses a pattern and writes it as EBNF.
class Pattern {
 public:
  Pattern(std::string_view text, std::string where, bool json)
      : text_(text), where_(std::move(where)), json_(json) {
    if (const size_t at = unicode::find_malformed(text); at != std::string_view::npos)
      fail(at, "malformed UTF-8");
    expect_at_most(static_cast<int64_t>(text.size()), grammar_limits::kPatternBytes, where_,
                   "bytes of a pattern");
  }

  std::string whole() {
    std::string out = alternatives(0);
    if (at_ < text_.size()) fail(at_, "an unmatched )");
    return out;
  }

 private:
  struct Piece {
    std::string text;
    int64_t size;
  };

  [[noreturn]] void fail(size_t at, const std::string& got, const std::string& expected = {}) const {
    fail_definition(where_ + ", offset " + std::to_string(at), got, expected);
  }

  bool more() const { return at_ < text_.size(); }
  bool next_is(std::string_view word) const { return text_.substr(at_).starts_with(word); }
  bool take(std::string_view word) {
    if (!next_is(word)) return false;
    at_ += word.size();
    return true;
  }

  std::string alternatives(int depth) {
    expect_at_most(depth, grammar_limits::kDepth, where_, "nested groups");
    std::string out = sequence(depth);
    while (take("|")) out += " | " + sequence(depth);
    return out;
  }

  std::string sequence(int depth) {
    const bool outer = depth == 0;
    const bool from_start = outer && take("^");
    std::string out = outer && json_ && !from_start ? "chars " : "";
    bool to_end = false;
    int64_t optional = 0;
    while (more() && text_[at_] != '|' && text_[at_] != ')') {
      if (text_[at_] == '$' && outer && (at_ + 1 == text_.size() || text_[at_ + 1] == '|')) {
        ++at_;
        to_end = true;
        break;
      }
      const size_t start = at_;
      const std::string piece = repeated(depth);
      if (piece.ends_with('?') || piece.ends_with('*')) ++optional;
      expect_at_most(optional, grammar_limits::kOptional, where_ + ", offset " + std::to_string(start),
                     "pieces in a row that may be left out");
      out += piece + " ";
    }
    if (outer && json_ && !to_end) out += "chars ";
    return out.empty() ? "\"\"" : out;
  }

  std::string repeated(int depth) {
    const int64_t before = size_;
    std::string piece = atom(depth);
    const int64_t own = size_ - before;
    if (!more()) return piece;
    const size_t start = at_;
    int64_t most = 1;
    std::string mark;
    if (text_[at_] == '*' || text_[at_] == '+' || text_[at_] == '?') {
      mark = std::string(1, text_[at_++]);
    } else if (text_[at_] == '{') {
      mark = counts(&most);
    } else {
      return piece;
    }
    take("?");  // which of several matches is taken does not matter to what matches
    if (more() && (text_[at_] == '*' || text_[at_] == '+' || text_[at_] == '?' || text_[at_] == '{'))
      fail(at_, "a repetition of a repetition", "one, or a group");
    grow(own * (most - 1), start);
    return piece + mark;
  }

  std::string counts(int64_t* most) {
    const size_t start = at_;
    ++at_;
    const auto number = [&]() -> std::optional<int64_t> {
      std::optional<int64_t> value;
      while (more() && text_[at_] >= '0' && text_[at_] <= '9') {
        value = value.value_or(0) * 10 + (text_[at_++] - '0');
        expect_at_most(*value, grammar_limits::kRepeat, where_ + ", offset " + std::to_string(start),
                       "repetitions");
      }
      return value;
    };
    const auto least = number();
    std::optional<int64_t> limit = least;
    const bool open = take(",");
    if (open) limit = number();
    if (!least || !take("}")) fail(start, "a brace that begins no repetition", "{m}, {m,}, {m,n} or \\{");
    if (limit && *limit < *least) fail(start, "a repetition whose limits are the wrong way round");
    *most = std::max<int64_t>(limit.value_or(*least), 1);
    std::string out = "{" + std::to_string(*least);
    if (open) out += ",";
    if (open && limit) out += std::to_string(*limit);
    return out + "}";
  }

  std::string atom(int depth) {
    const size_t start = at_;
    if (take("(")) {
      if (take("?")) {
        if (!take(":") && !group_name()) fail(start, "(? and no : behind it", "a group");
      }
      std::string inner = alternatives(depth + 1);
      if (!take(")")) fail(start, "a group without its )");
      return "(" + inner + ")";
    }
    if (take("[")) return written(bracket(start), start);
    if (take(".")) return written(complement(kLineEnds), start);
    if (text_[at_] == '\\') return written(escape(false), start);
    const char c = text_[at_];
    if (c == '^' || c == '$') fail(at_, "an anchor within the pattern", "one at its beginning or end");
    if (c == '*' || c == '+' || c == '?' || c == '{') fail(at_, "a repetition of nothing");
    return written(one(), start);
  }

  bool group_name() {
    if (!take("P<") && !(next_is("<") && !next_is("<=") && !next_is("<!") && take("<"))) return false;
    const size_t end = text_.find('>', at_);
    if (end == std::string_view::npos) return false;
    at_ = end + 1;
    return true;
  }

  Set one() {
    const auto [value, length] = unicode::decode_at(text_, at_);
    at_ += static_cast<size_t>(length);
    return {{value, value}};
  }

  char32_t hexadecimal(size_t digits, size_t start) {
    char32_t value = 0;
    for (size_t i = 0; i < digits; ++i, ++at_) {
      const char c = more() ? text_[at_] : '.';
      const int digit = c >= '0' && c <= '9'   ? c - '0'
                        : c >= 'a' && c <= 'f' ? c - 'a' + 10
                        : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                               : -1;
      if (digit < 0) fail(start, "an escape without its digits");
      value = value * 16 + static_cast<char32_t>(digit);
    }
    return value;
  }

  Set escape(bool in_class) {
    const size_t start = at_++;
    if (!more()) fail(start, "a \\ at the end");
    const char c = text_[at_++];
    switch (c) {
      case 'd':
        return kDigits;
      case 'D':
        return without(kAscii, kDigits);
      case 'w':
        return kWord;
      case 'W':
        return without(kAscii, kWord);
      case 's':
        return kSpace;
      case 'S':
        return complement(kAnySpace);
      case 't':
        return {{'\t', '\t'}};
      case 'n':
        return {{'\n', '\n'}};
      case 'r':
        return {{'\r', '\r'}};
      case 'f':
        return {{'\f', '\f'}};
      case 'v':
        return {{'\v', '\v'}};
      case 'x': {
        const char32_t value = hexadecimal(2, start);
        return {{value, value}};
      }
      case 'u': {
        const char32_t value = hexadecimal(4, start);
        return {{value, value}};
      }
      default:
        break;
    }
    if ((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || (c & 0x80) != 0)
      fail(start, std::string("\\") + ((c & 0x80) != 0 ? '?' : c),
           in_class ? "a class" : "no boundary, reference or property");
    return {{static_cast<char32_t>(c), static_cast<char32_t>(c)}};
  }

  Set bracket(size_t start) {
    const bool negated = take("^");
    Set set;
    bool first = true;
    for (; more() && (text_[at_] != ']' || first); first = false) {
      if (text_[at_] == ']') fail(at_, "an empty class, or a ] that is not escaped");
      if (text_[at_] == '[') fail(at_, "[ in a class", "\\[");
      const Set from = text_[at_] == '\\' ? escape(true) : one();
      if (next_is("-") && at_ + 1 < text_.size() && text_[at_ + 1] != ']') {
        ++at_;
        const Set to = text_[at_] == '\\' ? escape(true) : one();
        if (from.size() != 1 || to.size() != 1 || from[0].first != from[0].last ||
            to[0].first != to[0].last || from[0].first > to[0].first)
          fail(start, "a range that is none");
        set.push_back({from[0].first, to[0].first});
      } else {
        set.insert(set.end(), from.begin(), from.end());
      }
    }
    if (!take("]")) fail(start, "a class without its ]");
    return negated ? complement(set) : normal(set);
  }

  void grow(int64_t size, size_t at) {
    size_ += size;
    expect_at_most(size_, grammar_limits::kSize, where_ + ", offset " + std::to_string(at),
                   "characters and classes, as often as they are repeated");
  }

  /// A set as EBNF; in a JSON string what needs an escape has it.
  std::string written(const Set& all, size_t start) {
    grow(1, start);
    const Set set = without(all, kSurrogates);
    if (!json_) {
      if (set.empty()) fail(start, "a class of nothing");
      return class_of(set);
    }
    std::vector<std::string> ways;
    if (const Set plain = without(set, kEscaped); !plain.empty()) ways.push_back(class_of(plain));
    for (const auto& [c, letter] : {std::pair{'"', '"'}, std::pair{'\\', '\\'}, std::pair{'\n', 'n'},
                                    std::pair{'\t', 't'}, std::pair{'\r', 'r'}, std::pair{'\f', 'f'}})
      if (contains(set, static_cast<char32_t>(c))) ways.push_back(ebnf_literal(std::string("\\") + letter));
    if (ways.empty()) fail(start, "a class of control characters, which are not written");
    std::string out = ways[0];
    for (size_t i = 1; i < ways.size(); ++i) out += " | " + ways[i];
    return ways.size() == 1 ? out : "(" + out + ")";
  }

  std::string_view text_;
  std::string where_;
  bool json_;
  size_t at_ = 0;
  int64_t size_ = 0;
};

}  // namespace

std::string ebnf_of_regex(std::string_view pattern) {
  return "root ::= " + Pattern(pattern, "pattern", false).whole() + "\n";
}

std::string ebnf_of_json_pattern(std::string_view pattern, const std::string& where) {
  return Pattern(pattern, where, true).whole();
}

}  // namespace galago
