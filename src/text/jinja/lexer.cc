// A template is data with tags in it; within a tag the usual tokens follow, and brackets are counted because
// "}}" may close two dicts. In: source. Out: tokens with lines. Reference: Jinja 3.1 lexer.py.
#include "text/jinja/lexer.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "core/printable.h"
#include "text/jinja/meter.h"
#include "text/unicode/unicode.h"

namespace galago::jinja {
namespace {

using Kind = Token::Kind;

bool is_digit(char c) { return c >= '0' && c <= '9'; }
bool is_name_start(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_'; }
bool is_name(char c) { return is_name_start(c) || is_digit(c); }

/// Python's white space, from `at`.
size_t skip_space(std::string_view text, size_t at) {
  for (;;) {
    const auto c = unicode::decode_at(text, at);
    if (c.length == 0 || !(unicode::is_space(c.value) || (c.value >= 0x1C && c.value <= 0x1F))) return at;
    at += static_cast<size_t>(c.length);
  }
}

/// Length of the text without the white space at its end.
size_t stripped_length(std::string_view text) {
  size_t end = text.size();
  while (end > 0) {
    const auto c = unicode::decode_before(text, end);
    if (!(unicode::is_space(c.value) || (c.value >= 0x1C && c.value <= 0x1F))) break;
    end -= static_cast<size_t>(c.length);
  }
  return end;
}

/// Line breaks as \n, without one at the end.
std::string normalized_lines(std::string_view source) {
  std::string out;
  for (size_t i = 0; i < source.size(); ++i) {
    if (source[i] == '\r' && i + 1 < source.size() && source[i + 1] == '\n') continue;
    out += source[i] == '\r' ? '\n' : source[i];
  }
  if (out.ends_with('\n')) out.pop_back();
  return out;
}

class Lexer {
 public:
  Lexer(std::string_view source, const std::string& where)
      : source_(normalized_lines(source)), text_(source_), meter_(where, 0) {}

  std::vector<Token> run() {
    while (at_ < text_.size()) data();
    add(Kind::end, {});
    return std::move(tokens_);
  }

 private:
  [[noreturn]] void fail(const std::string& got, const std::string& expected) {
    meter_.at_line(line_);
    meter_.invalid(got, expected);
  }

  void add(Kind kind, std::string text) { tokens_.push_back({kind, std::move(text), line_}); }

  /// Moves on, counting lines; the text that was passed decides whether a line starts here.
  void advance(size_t to) {
    line_ += static_cast<int>(std::count(text_.begin() + static_cast<std::ptrdiff_t>(at_),
                                         text_.begin() + static_cast<std::ptrdiff_t>(to), '\n'));
    if (to > at_) line_starts_ = text_[to - 1] == '\n';
    at_ = to;
  }

  bool looking_at(std::string_view what) const { return text_.substr(at_).starts_with(what); }

  bool looking_at(char sign, std::string_view mark) const {
    return at_ < text_.size() && text_[at_] == sign && text_.substr(at_ + 1).starts_with(mark);
  }

  /// Text up to the next tag, and the tag.
  void data() {
    const size_t tag = next_tag(at_);
    const std::string_view found = text_.substr(at_, tag - at_);
    const char sign = tag + 2 < text_.size() ? text_[tag + 2] : '\0';
    const bool variable = tag < text_.size() && text_[tag + 1] == '{';
    const size_t keep = tag == text_.size() ? found.size() : kept_length(found, sign, variable);
    if (keep > 0) add(Kind::data, std::string(found.substr(0, keep)));
    advance(tag);
    if (at_ == text_.size()) return;
    const char kind = text_[at_ + 1];
    advance(at_ + 2 + (sign == '-' || sign == '+' ? 1 : 0));
    if (kind == '#') return comment();
    if (kind == '%' && raw()) return;
    tag_tokens(kind == '{');
  }

  size_t next_tag(size_t from) const {
    for (size_t i = text_.find('{', from); i != std::string_view::npos; i = text_.find('{', i + 1)) {
      const char next = i + 1 < text_.size() ? text_[i + 1] : '\0';
      if (next == '{' || next == '%' || next == '#') return i;
    }
    return text_.size();
  }

  /// How much of the text before a tag stays.
  size_t kept_length(std::string_view found, char sign, bool variable) const {
    if (sign == '-') return stripped_length(found);
    if (sign == '+' || variable) return found.size();
    const size_t line_break = found.rfind('\n');
    if (line_break == std::string_view::npos && !line_starts_) return found.size();
    const size_t line_begin = line_break == std::string_view::npos ? 0 : line_break + 1;
    return skip_space(found, line_begin) == found.size() ? line_begin : found.size();
  }

  /// The end of a comment or block tag at the current place, with the white space that it takes; nothing when
  /// none is here.
  std::optional<size_t> tag_end(std::string_view mark, bool trim) const {
    if (looking_at(mark)) {
      const size_t end = at_ + mark.size();
      return trim && end < text_.size() && text_[end] == '\n' ? end + 1 : end;
    }
    if (looking_at('-', mark)) return skip_space(text_, at_ + 1 + mark.size());
    if (trim && looking_at('+', mark)) return at_ + 1 + mark.size();
    return std::nullopt;
  }

  void comment() {
    const int begin = line_;
    for (; at_ < text_.size(); advance(at_ + 1)) {
      if (const auto end = tag_end("#}", true)) return advance(*end);
    }
    line_ = begin;
    fail("a comment without an end", "#}");
  }

  /// {% raw %} ... {% endraw %}: everything between is data. False when this is another block.
  bool raw() {
    const size_t name = skip_space(text_, at_);
    if (!text_.substr(name).starts_with("raw")) return false;
    const size_t behind = skip_space(text_, name + 3);
    const bool strips = text_.substr(behind).starts_with("-%}");
    if (!strips && !text_.substr(behind).starts_with("%}")) return false;
    const int begin = line_;
    advance(strips ? skip_space(text_, behind + 3) : behind + 2);
    for (size_t tag = text_.find("{%", at_); tag != std::string_view::npos; tag = text_.find("{%", tag + 2)) {
      const char sign = tag + 2 < text_.size() ? text_[tag + 2] : '\0';
      const size_t word = skip_space(text_, tag + 2 + (sign == '-' || sign == '+' ? 1 : 0));
      if (!text_.substr(word).starts_with("endraw")) continue;
      const std::string_view found = text_.substr(at_, tag - at_);
      const size_t keep = kept_length(found, sign, false);
      if (keep > 0) add(Kind::data, std::string(found.substr(0, keep)));
      advance(skip_space(text_, word + 6));
      const auto end = tag_end("%}", true);
      if (!end) fail("text behind endraw", "%}");
      advance(*end);
      return true;
    }
    line_ = begin;
    fail("a raw block without an end", "{% endraw %}");
  }

  /// The tokens of a {{ }} or {% %} tag.
  void tag_tokens(bool variable) {
    add(variable ? Kind::variable_begin : Kind::block_begin, {});
    const int begin = line_;
    for (;;) {
      advance(skip_space(text_, at_));
      if (at_ >= text_.size()) {
        line_ = begin;
        fail("a tag without an end", variable ? "}}" : "%}");
      }
      // Within brackets "}}" closes dicts.
      if (const auto end = tag_end(variable ? "}}" : "%}", !variable); end && brackets_.empty()) {
        add(variable ? Kind::variable_end : Kind::block_end, {});
        return advance(*end);
      }
      token();
    }
  }

  void token() {
    const char c = text_[at_];
    if (is_digit(c)) return number();
    if (is_name_start(c)) return name();
    if (c == '"' || c == '\'') return string(c);
    operation();
  }

  void name() {
    size_t end = at_;
    while (end < text_.size() && is_name(text_[end])) ++end;
    add(Kind::name, std::string(text_.substr(at_, end - at_)));
    advance(end);
  }

  /// 0x1F, 0b1, 0o7: the token has it in decimal. False when this is another number.
  bool number_of_base() {
    const char letter =
        at_ + 1 < text_.size() && text_[at_] == '0' ? static_cast<char>(text_[at_ + 1] | 0x20) : '\0';
    const unsigned base = letter == 'b' ? 2 : letter == 'o' ? 8 : letter == 'x' ? 16 : 0;
    if (base == 0) return false;
    const auto is_digit_at = [&](size_t i) {
      const unsigned value = i < text_.size() ? digit_value(text_[i]) : base;
      return value < base;
    };
    uint64_t value = 0;
    size_t end = at_ + 2;
    for (;;) {
      const size_t digit = end < text_.size() && text_[end] == '_' ? end + 1 : end;
      if (!is_digit_at(digit)) break;
      value = value * base + digit_value(text_[digit]);
      if (value > INT64_MAX) fail("a number of over 64 bits", "an integer of 64 bits");
      end = digit + 1;
    }
    if (end == at_ + 2) return false;
    check_number_ends(end);
    add(Kind::integer, std::to_string(value));
    advance(end);
    return true;
  }

  static unsigned digit_value(char c) {
    const char lower = static_cast<char>(c | 0x20);
    if (is_digit(c)) return static_cast<unsigned>(c - '0');
    return lower >= 'a' && lower <= 'f' ? static_cast<unsigned>(lower - 'a') + 10 : 99;
  }

  void check_number_ends(size_t end) {
    if (end < text_.size() && is_name(text_[end]))
      fail("the number " + in_quotes(text_.substr(at_, end + 1 - at_)), "a number of digits");
  }

  void number() {
    if (number_of_base()) return;
    std::string digits;
    bool floating = false;
    size_t end = at_;
    const auto run = [&] {
      for (;;) {  // an underscore stands between two digits
        const size_t next =
            end < text_.size() && text_[end] == '_' && is_digit(text_[end - 1]) ? end + 1 : end;
        if (next >= text_.size() || !is_digit(text_[next])) break;
        digits += text_[next];
        end = next + 1;
      }
    };
    run();
    // "loop.0.x" is two subscripts: what follows a dot is no float.
    const bool after_dot = !tokens_.empty() && tokens_.back().kind == Kind::op && tokens_.back().text == ".";
    if (!after_dot && end + 1 < text_.size() && text_[end] == '.' && is_digit(text_[end + 1])) {
      floating = true;
      digits += text_[end++];
      run();
    }
    const size_t sign = end + 1 < text_.size() && (text_[end + 1] == '+' || text_[end + 1] == '-') ? 1 : 0;
    if (!after_dot && end + 1 + sign < text_.size() && (text_[end] | 0x20) == 'e' &&
        is_digit(text_[end + 1 + sign])) {
      floating = true;
      digits += text_.substr(end, 1 + sign);
      end += 1 + sign;
      run();
    }
    check_number_ends(end);
    if (!floating && digits.size() > 1 && digits[0] == '0' && digits.find_first_not_of('0') != digits.npos)
      fail("the number " + in_quotes(digits), "an integer that begins with no 0");
    add(floating ? Kind::floating : Kind::integer, std::move(digits));
    advance(end);
  }

  void string(char quote) {
    std::string value;
    size_t i = at_ + 1;
    for (;;) {
      if (i >= text_.size()) fail("a string without an end", std::string(1, quote));
      if (text_[i] == quote) break;
      if (text_[i] == '\\' && i + 1 < text_.size()) {
        i = escape(i + 1, value);
      } else {
        value += text_[i++];
      }
    }
    add(Kind::string, std::move(value));
    advance(i + 1);
  }

  /// The escape whose letter is at `i`; gives the offset behind it. Unknown escapes stay as they are.
  size_t escape(size_t i, std::string& value) {
    const char c = text_[i];
    constexpr std::string_view kLetters = "abfnrtv\\'\"";
    constexpr std::string_view kValues = "\a\b\f\n\r\t\v\\'\"";
    if (const size_t found = kLetters.find(c); found != std::string_view::npos) {
      value += kValues[found];
      return i + 1;
    }
    if (c == '\n') return i + 1;  // a line break behind a backslash joins the lines
    if (c == 'x') return code_point(i + 1, 2, 16, value);
    if (c == 'u') return code_point(i + 1, 4, 16, value);
    if (c == 'U') return code_point(i + 1, 8, 16, value);
    if (c >= '0' && c <= '7') {
      size_t digits = 1;
      while (digits < 3 && i + digits < text_.size() && text_[i + digits] >= '0' && text_[i + digits] <= '7')
        ++digits;
      return code_point(i, digits, 8, value);
    }
    if (c == 'N') fail("the escape \\N", "an escape by number");
    value += '\\';
    return i;
  }

  size_t code_point(size_t i, size_t digits, uint32_t base, std::string& value) {
    uint64_t code = 0;
    for (size_t end = i + digits; i < end; ++i) {
      const char c = i < text_.size() ? text_[i] : '\0';
      const char lower = static_cast<char>(c | 0x20);
      const bool letter = base == 16 && lower >= 'a' && lower <= 'f';
      if (!is_digit(c) && !letter) fail("a truncated escape", std::to_string(digits) + " digits");
      code = code * base + static_cast<uint64_t>(letter ? lower - 'a' + 10 : c - '0');
    }
    if (code > 0x10FFFF || (code >= 0xD800 && code <= 0xDFFF))
      fail("an escape outside Unicode", "a character");
    unicode::append(value, static_cast<char32_t>(code));
    return i;
  }

  void operation() {
    static constexpr std::string_view kTwo[] = {"**", "//", "==", "!=", ">=", "<="};
    static constexpr std::string_view kOne = "+-*/%~[](){}><=.:|,;";
    std::string_view found;
    for (const std::string_view op : kTwo)
      if (looking_at(op)) found = op;
    if (found.empty() && kOne.find(text_[at_]) != std::string_view::npos) found = text_.substr(at_, 1);
    if (found.empty()) fail("the character " + in_quotes(text_.substr(at_, 1)), "an expression");
    balance(found);
    add(Kind::op, std::string(found));
    advance(at_ + found.size());
  }

  void balance(std::string_view op) {
    if (op == "(" || op == "[" || op == "{") {
      brackets_ += op == "(" ? ')' : op == "[" ? ']' : '}';
    } else if (op == ")" || op == "]" || op == "}") {
      if (brackets_.empty() || brackets_.back() != op[0])
        fail(in_quotes(op),
             brackets_.empty() ? "no closing bracket" : in_quotes(brackets_.substr(brackets_.size() - 1)));
      brackets_.pop_back();
    }
  }

  std::string source_;
  std::string_view text_;
  Meter meter_;
  size_t at_ = 0;
  int line_ = 1;
  bool line_starts_ = true;
  std::string brackets_;  // the closing brackets that are awaited
  std::vector<Token> tokens_;
};

}  // namespace

std::vector<Token> tokenize(std::string_view source, const std::string& where) {
  return Lexer(source, where).run();
}

}  // namespace galago::jinja
