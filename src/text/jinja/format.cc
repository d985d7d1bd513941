// "format" % values, as Python's printf-like formatting.
// In: a text with fields, a value, a tuple of them or a dict. Out: a text; what a user wrote stays the
// user's. Reference: Python 3 printf-style string formatting.
#include <algorithm>
#include <charconv>
#include <cmath>

#include "core/printable.h"
#include "text/jinja/builtins.h"
#include "text/unicode/unicode.h"

namespace galago::jinja {
namespace {

/// Widest field, and the most digits behind a point.
constexpr int64_t kWidth = 4096;
constexpr int64_t kPrecision = 60;

/// "%(name)-05.2f": everything between the sign and the letter.
struct Field {
  bool left = false;
  bool zeros = false;
  bool plus = false;
  bool space = false;
  int64_t width = 0;
  int64_t precision = -1;  ///< -1: none
};

class Formatter {
 public:
  Formatter(const MarkedText& format, const Value& values, Meter& meter)
      : format_(format), values_(values), meter_(meter) {}

  Value run() {
    const std::string& text = format_.text();
    while (at_ < text.size()) {
      const size_t sign = std::min(text.find('%', at_), text.size());
      out_.append(format_, at_, sign);
      at_ = sign + 1;
      if (sign < text.size()) field();
      meter_.step();
      meter_.length(static_cast<int64_t>(out_.size()));
    }
    const bool left_over =
        tuple() ? next_ < tuple()->items.size() : next_ == 0 && !values_.dict() && !values_.list();
    if (left_over) meter_.invalid("more values than the text has fields");
    return make_text(std::move(out_), meter_);
  }

 private:
  const Sequence* tuple() const { return values_.list() && values_.list()->tuple ? values_.list() : nullptr; }

  char take() {
    if (at_ >= format_.size()) meter_.invalid("a field without its letter");
    return format_.text()[at_++];
  }

  const Value& next() {
    const size_t index = next_++;
    if (const Sequence* list = tuple(); list && index < list->items.size()) return list->items[index];
    if (tuple() || index > 0) meter_.invalid("fewer values than the text has fields");
    return values_;
  }

  int64_t number(int64_t most) {
    int64_t value = 0;
    while (at_ < format_.size() && format_.text()[at_] >= '0' && format_.text()[at_] <= '9') {
      value = value * 10 + (format_.text()[at_++] - '0');
      if (value > most) meter_.invalid("a field wider than " + std::to_string(most));
    }
    return value;
  }

  const Value* named() {
    const size_t end = format_.text().find(')', at_);
    if (end == std::string::npos) meter_.invalid("a field's name without \")\"");
    const std::string name = format_.text().substr(at_, end - at_);
    at_ = end + 1;
    const Mapping* dict = values_.dict();
    if (!dict) meter_.invalid("a field with a name and " + values_.kind(), "a dict");
    const Value* found = dict->find(name, meter_);
    if (!found) meter_.invalid("a field named " + in_quotes(name), "a key of the dict");
    return found;
  }

  void field() {
    const Value* value = nullptr;
    if (at_ < format_.size() && format_.text()[at_] == '(') {
      ++at_;
      value = named();
    }
    if (!value && at_ < format_.size() && format_.text()[at_] == '%') {
      ++at_;
      return out_.append("%", false);
    }
    Field field;
    for (;; ++at_) {
      const char c = at_ < format_.size() ? format_.text()[at_] : '\0';
      if (c == '#' || c == '*') meter_.unsupported("a field with " + in_quotes(std::string(1, c)));
      field.left = field.left || c == '-';
      field.zeros = field.zeros || c == '0';
      field.plus = field.plus || c == '+';
      field.space = field.space || c == ' ';
      if (c != '-' && c != '0' && c != '+' && c != ' ') break;
    }
    field.width = number(kWidth);
    if (at_ < format_.size() && format_.text()[at_] == '.') {
      ++at_;
      field.precision = number(kPrecision);
    }
    char letter = take();
    if (letter == 'h' || letter == 'l' || letter == 'L') letter = take();  // C's sizes, which mean nothing
    write(field, letter, value ? *value : next());
  }

  void write(const Field& field, char letter, const Value& value) {
    switch (letter) {
      case 's':
      case 'r':
        return write_text(field, letter == 's' ? to_text(value, meter_) : to_repr(value, meter_));
      case 'c':
        return write_text(field, character(value));
      case 'd':
      case 'i':
      case 'u':
      case 'x':
      case 'X':
      case 'o':
        return write_integer(field, letter, value);
      case 'e':
      case 'E':
      case 'f':
      case 'F':
      case 'g':
      case 'G':
        return write_float(field, letter, value);
      default:
        meter_.invalid("a field of the letter " + in_quotes(std::string(1, letter)),
                       "s, r, c, d, x, o, e, f or g");
    }
  }

  MarkedText character(const Value& value) {
    if (value.text() && unicode::count(value.text()->text()) == 1) return *value.text();
    const int64_t code = value.text() ? -1 : as_integer(value, meter_);
    if (code < 0 || code > 0x10FFFF || (code >= 0xD800 && code < 0xE000))
      meter_.invalid("a field of one character", "a character or its number");
    std::string text;
    unicode::append(text, static_cast<char32_t>(code));
    return MarkedText(text, true);  // a number may be a user's
  }

  void write_text(const Field& field, const MarkedText& text) {
    meter_.read(text.size());
    size_t end = 0;
    for (int64_t i = 0; end < text.size() && (field.precision < 0 || i < field.precision); ++i)
      end += static_cast<size_t>(unicode::decode_at(text.text(), end).length);
    pad(field, text.slice(0, end), 0);
  }

  void write_integer(const Field& field, char letter, const Value& value) {
    const double* real = value.get<double>();
    if (real && (letter == 'x' || letter == 'X' || letter == 'o')) meter_.invalid("a float", "an integer");
    if (real && !(std::fabs(*real) < 9e18)) meter_.invalid("a float over 64 bits", "an integer");
    const int64_t number = real ? static_cast<int64_t>(*real) : as_integer(value, meter_);
    const uint64_t size = number < 0 ? 0 - static_cast<uint64_t>(number) : static_cast<uint64_t>(number);
    char buffer[32];
    const char* form = letter == 'x' ? "%llx" : letter == 'X' ? "%llX" : letter == 'o' ? "%llo" : "%llu";
    std::snprintf(buffer, sizeof buffer, form, static_cast<unsigned long long>(size));
    std::string digits = buffer;
    const auto wanted = static_cast<size_t>(std::max<int64_t>(field.precision, 0));
    if (digits.size() < wanted) digits.insert(0, wanted - digits.size(), '0');
    write_number(field, number < 0, digits);
  }

  void write_float(const Field& field, char letter, const Value& value) {
    const double number = as_double(value, meter_);
    char buffer[512];
    const char lower = static_cast<char>(letter | 0x20);
    const auto form = lower == 'e'   ? std::chars_format::scientific
                      : lower == 'f' ? std::chars_format::fixed
                                     : std::chars_format::general;
    const int digits = field.precision < 0 ? 6 : static_cast<int>(field.precision);
    const auto end = std::to_chars(buffer, buffer + sizeof buffer, std::fabs(number), form, digits).ptr;
    std::string text(buffer, end);
    if (letter != lower)
      for (char& c : text) c = static_cast<char>(c >= 'a' && c <= 'z' ? c - 32 : c);
    write_number(field, std::signbit(number) && !std::isnan(number), text);
  }

  void write_number(const Field& field, bool negative, const std::string& digits) {
    const std::string sign = negative ? "-" : field.plus ? "+" : field.space ? " " : "";
    pad(field, MarkedText(sign + digits), field.zeros && !field.left ? sign.size() + 1 : 0);
  }

  /// Fills up to the width: with zeros behind a sign of zeros_at - 1 characters where that is not 0.
  void pad(const Field& field, const MarkedText& text, size_t zeros_at) {
    const int64_t missing =
        std::max<int64_t>(0, field.width - static_cast<int64_t>(unicode::count(text.text())));
    meter_.text(static_cast<int64_t>(text.size()) + missing);
    const std::string fill(static_cast<size_t>(missing), zeros_at > 0 ? '0' : ' ');
    const size_t sign = zeros_at > 0 ? zeros_at - 1 : 0;
    out_.append(text, 0, sign);
    if (!field.left) out_.append(fill, false);
    out_.append(text, sign, text.size());
    if (field.left) out_.append(fill, false);
  }

  const MarkedText& format_;
  const Value& values_;
  Meter& meter_;
  MarkedText out_;
  size_t at_ = 0;
  size_t next_ = 0;
};

}  // namespace

Value percent_format(const MarkedText& format, const Value& values, Meter& meter) {
  meter.scan(format.size());
  return Formatter(format, values, meter).run();
}

}  // namespace galago::jinja
