// Digits of other scripts become ASCII first; then what is left is read by hand or by from_chars, neither of
// which asks the locale.
#include "text/jinja/numbers.h"

#include <algorithm>
#include <bit>
#include <charconv>
#include <cmath>

#include "core/checked.h"
#include "core/printable.h"
#include "text/unicode/unicode.h"

namespace galago::jinja {
namespace {

constexpr double kTwoTo63 = 9223372036854775808.0;

char lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c | 0x20) : c; }
bool is_digit(char c) { return c >= '0' && c <= '9'; }

/// The value of a decimal digit of any script: they stand ten by ten, from zero on.
int digit_value(char32_t c) {
  char32_t zero = c;
  while (unicode::category(zero - 1) == unicode::Category::nd) --zero;
  return static_cast<int>((c - zero) % 10);
}

/// Without white space around, digits in ASCII, letters in lower case; nothing for characters that no number
/// has.
std::optional<std::string> plain(std::string_view text, Meter& meter) {
  meter.read(text.size());
  std::string out;
  bool ended = false;
  for (size_t i = 0; i < text.size();) {
    const auto c = unicode::decode_at(text, i);
    i += static_cast<size_t>(c.length);
    if (unicode::is_python_space(c.value)) {
      ended = !out.empty();
      continue;
    }
    const bool digit = c.value >= 0x80 && unicode::category(c.value) == unicode::Category::nd;
    if (ended || (c.value >= 0x80 && !digit)) return std::nullopt;
    out += digit ? static_cast<char>('0' + digit_value(c.value)) : lower(static_cast<char>(c.value));
  }
  return out;
}

/// Takes a sign off the front; whether it is a minus.
bool take_sign(std::string_view& text) {
  const bool negative = text.starts_with('-');
  if (negative || text.starts_with('+')) text.remove_prefix(1);
  return negative;
}

/// Without the underscores that stand between two digits; nothing where one stands elsewhere.
std::optional<std::string> without_underscores(std::string_view text) {
  std::string out;
  for (size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '_') {
      out += text[i];
    } else if (i == 0 || i + 1 == text.size() || !is_digit(text[i - 1]) || !is_digit(text[i + 1])) {
      return std::nullopt;
    }
  }
  return out;
}

/// Takes 0x, 0o or 0b off the front where it fits the base, and says which base the rest has; nothing for a
/// text that base 0 refuses.
std::optional<int64_t> take_prefix(std::string_view& text, int64_t base) {
  constexpr std::string_view kLetters = "xob";
  constexpr int64_t kBases[] = {16, 8, 2};
  const size_t at = text.size() > 1 && text[0] == '0' ? kLetters.find(text[1]) : std::string_view::npos;
  if (at != std::string_view::npos && (base == 0 || base == kBases[at])) {
    text.remove_prefix(2);
    if (text.starts_with('_')) text.remove_prefix(1);
    return kBases[at];
  }
  if (base != 0) return base;
  // A decimal number of base 0 has no zeros in front, unless it is zero.
  if (text.starts_with('0') && text.find_first_not_of("0_") != std::string_view::npos) return std::nullopt;
  return 10;
}

/// digits [. digits] [e [sign] digits], with a digit before or behind the point.
bool is_decimal(std::string_view text) {
  size_t at = 0;
  const auto digits = [&] {
    const size_t begin = at;
    while (at < text.size() && is_digit(text[at])) ++at;
    return at - begin;
  };
  size_t count = digits();
  if (at < text.size() && text[at] == '.') {
    ++at;
    count += digits();
  }
  if (count == 0) return false;
  if (at < text.size() && text[at] == 'e') {
    ++at;
    if (at < text.size() && (text[at] == '+' || text[at] == '-')) ++at;
    if (digits() == 0) return false;
  }
  return at == text.size();
}

/// Whether a decimal number outside the range of doubles is too large rather than too small.
bool is_large(std::string_view text) {
  const size_t e = std::min(text.find('e'), text.size());
  const std::string_view mantissa = text.substr(0, e);
  const size_t point = std::min(mantissa.find('.'), mantissa.size());
  const size_t first = std::min(mantissa.find_first_not_of("0."), mantissa.size());
  int64_t exponent = static_cast<int64_t>(point) - static_cast<int64_t>(first);
  std::string_view rest = text.substr(std::min(e + 1, text.size()));
  const bool negative = take_sign(rest);
  int64_t written = 0;
  for (const char c : rest) written = std::min<int64_t>(written * 10 + (c - '0'), int64_t{1} << 40);
  exponent += negative ? -written : written;
  return exponent > 0;
}

int64_t truncated(double value, Meter& meter) {
  if (!(value >= -kTwoTo63 && value < kTwoTo63)) meter.invalid("an integer over 64 bits");
  return static_cast<int64_t>(value);
}

Value to_integer(const Value& value, const Values& arguments, Meter& meter) {
  const Value* otherwise = arguments.find(0, "default");
  const Value* base = arguments.find(1, "base");
  if (value.is_undefined()) meter.invalid(value.kind(), "a value to make an integer of");
  if (value.get<int64_t>() || value.get<bool>()) return Value(as_integer(value, meter));
  std::optional<double> number;
  if (const double* d = value.get<double>()) number = *d;
  if (const MarkedText* text = value.text()) {
    const bool usable = !base || base->get<int64_t>() || base->get<bool>();
    if (usable)
      if (const auto whole = read_integer(text->text(), base ? as_integer(*base, meter) : 10, meter))
        return Value(*whole);
    number = read_float(text->text(), meter);
    if (number && std::isinf(*number)) number.reset();  // Python's OverflowError: the default
  }
  if (number && !std::isnan(*number)) return Value(truncated(*number, meter));
  return otherwise ? *otherwise : Value(int64_t{0});
}

Value to_float(const Value& value, const Values& arguments, Meter& meter) {
  const Value* otherwise = arguments.find(0, "default");
  if (value.is_undefined()) meter.invalid(value.kind(), "a value to make a float of");
  if (value.is_number()) return Value(as_double(value, meter));
  if (const MarkedText* text = value.text())
    if (const auto number = read_float(text->text(), meter)) return Value(*number);
  return otherwise ? *otherwise : Value(0.0);
}

Value absolute(const Value& value, Meter& meter) {
  if (const double* d = value.get<double>()) return Value(std::fabs(*d));
  const int64_t number = as_integer(value, meter);
  if (number == INT64_MIN) meter.invalid("an integer over 64 bits");
  return Value(number < 0 ? -number : number);
}

/// An integer to the nearest multiple of a power of ten, halves to the even one.
int64_t rounded(int64_t value, int64_t precision, Meter& meter) {
  if (precision >= 0 || value == 0) return value;
  if (precision < -19) return 0;
  const uint64_t size = value < 0 ? 0 - static_cast<uint64_t>(value) : static_cast<uint64_t>(value);
  uint64_t unit = 1;
  for (int64_t i = precision; i < 0; ++i) unit *= 10;  // up to 10^19, which 64 bits hold
  const uint64_t rest = size % unit;
  uint64_t units = size / unit;
  if (rest > unit - rest || (rest == unit - rest && units % 2 == 1)) ++units;
  const auto whole = unit > INT64_MAX ? (units == 0 ? std::optional<int64_t>(0) : std::nullopt)
                                      : checked_mul(static_cast<int64_t>(units), static_cast<int64_t>(unit));
  if (!whole) meter.invalid("an integer over 64 bits");
  return value < 0 ? -*whole : *whole;
}

/// A double to so many digits behind the point, of its exact value; halves to the even digit.
double rounded(double value, int64_t precision) {
  constexpr int64_t kMostDigits = 323;
  constexpr int kExactDigits = 30;  // enough to know the decimal exponent
  if (!std::isfinite(value) || value == 0 || precision > kMostDigits) return value;
  char buffer[768];
  char* const end = buffer + sizeof buffer;
  double out = 0;
  if (precision >= 0) {
    const auto last =
        std::to_chars(buffer, end, value, std::chars_format::fixed, static_cast<int>(precision)).ptr;
    std::from_chars(buffer, last, out);
    return out;
  }
  const double size = std::fabs(value);
  const auto shown = std::to_chars(buffer, end, size, std::chars_format::scientific, kExactDigits).ptr;
  const char* sign = std::find(buffer, shown, 'e') + 1;
  int exponent = 0;
  std::from_chars(sign + (*sign == '+' ? 1 : 0), shown, exponent);
  const int64_t digits = exponent + 1 + std::max<int64_t>(precision, -kMostDigits);
  if (digits == 0) {  // of the size of the unit: up to it or down to nothing
    const std::string half = "5e" + std::to_string(exponent);
    double middle = 0;
    std::from_chars(half.data(), half.data() + half.size(), middle);
    const std::string unit = "1e" + std::to_string(exponent + 1);
    if (size > middle) std::from_chars(unit.data(), unit.data() + unit.size(), out);
  } else if (digits > 0) {
    const auto last =
        std::to_chars(buffer, end, size, std::chars_format::scientific, static_cast<int>(digits - 1)).ptr;
    std::from_chars(buffer, last, out);
  }
  return std::copysign(out, value);
}

Value round_filter(const Value& value, const Values& arguments, Meter& meter) {
  arguments.at_most(2, "round", meter);
  const Value* digits = arguments.find(0, "precision");
  const std::string method =
      arguments.find(1, "method") ? arguments.text(1, "method", meter).text() : "common";
  if (method != "common" && method != "ceil" && method != "floor")
    meter.invalid("the way to round " + in_quotes(method), "common, ceil or floor");
  const int64_t precision = digits ? as_integer(*digits, meter) : 0;
  if (method == "common") {
    if (const double* d = value.get<double>()) return Value(rounded(*d, precision));
    return Value(rounded(as_integer(value, meter), precision, meter));
  }
  if (precision < -15 || precision > 60)
    meter.unsupported("rounding to " + std::to_string(precision) + " digits");
  const double unit = std::pow(10.0, static_cast<double>(precision));
  const double scaled = as_double(value, meter) * unit;
  if (!std::isfinite(scaled)) meter.invalid("rounding of a number that is not finite");
  const double to = method == "ceil" ? std::ceil(scaled) : std::floor(scaled);
  return Value((to + 0.0) / unit);  // Python's are integers on the way, which have no zero below zero
}

Value whole(std::optional<int64_t> number, Meter& meter) {
  if (!number) meter.invalid("an integer over 64 bits");
  return Value(*number);
}

/// Division rounded down.
int64_t floor_divide(int64_t a, int64_t b) { return a / b - ((a % b != 0) && ((a < 0) != (b < 0)) ? 1 : 0); }

/// The double nearest to the quotient of two integers, also of those that no double equals.
double quotient(int64_t a, int64_t b) {
  constexpr int64_t kExact = int64_t{1} << 53;
  if (a > -kExact && a < kExact && b > -kExact && b < kExact)
    return static_cast<double>(a) / static_cast<double>(b);
  if (a == 0) return b < 0 ? -0.0 : 0.0;
  __extension__ using Wide = unsigned __int128;
  const auto size = [](int64_t i) { return i < 0 ? 0 - static_cast<uint64_t>(i) : static_cast<uint64_t>(i); };
  // At least 62 bits of the quotient; the last one says whether more follow, so that they are rounded once.
  const int shift = std::countl_zero(size(a));
  const Wide scaled = Wide{size(a) << shift} << 63;
  const Wide bits = scaled / size(b) | (scaled % size(b) != 0 ? 1 : 0);
  const double result = std::ldexp(static_cast<double>(bits), -63 - shift);
  return (a < 0) != (b < 0) ? -result : result;
}

/// Python's ** of floats.
double power(double a, double b, Meter& meter) {
  if (a == 0 && b < 0) meter.invalid("zero to a negative power");
  const double result = std::pow(a, b);
  if (std::isfinite(a) && std::isfinite(b)) {
    if (std::isnan(result)) meter.invalid("a root of a negative number");
    if (std::isinf(result)) meter.invalid("a power over the range of floats");
  }
  return result;
}

/// Division rounded down and its remainder, which has the divisor's sign. The remainder is exact; dividing
/// first would lose it.
std::pair<double, double> divide_floats(double a, double b) {
  double rest = std::fmod(a, b);
  double quotient = (a - rest) / b;
  if (rest == 0) {
    rest = std::copysign(0.0, b);
  } else if ((b < 0) != (rest < 0)) {
    rest += b;
    quotient -= 1;
  }
  if (quotient == 0) return {std::copysign(0.0, a / b), rest};
  const double down = std::floor(quotient);
  return {quotient - down > 0.5 ? down + 1 : down, rest};
}

}  // namespace

std::optional<int64_t> read_integer(std::string_view text, int64_t base, Meter& meter) {
  const auto written = plain(text, meter);
  if (!written || base < 0 || base == 1 || base > 36) return std::nullopt;
  std::string_view digits = *written;
  const bool negative = take_sign(digits);
  const auto radix = take_prefix(digits, base);
  if (!radix || digits.empty() || digits.front() == '_' || digits.back() == '_' ||
      digits.find("__") != std::string_view::npos)
    return std::nullopt;
  std::optional<int64_t> number = 0;  // negative on its way, which has room for one more
  for (const char c : digits) {
    if (c == '_') continue;
    const int64_t digit = is_digit(c) ? c - '0' : c >= 'a' && c <= 'z' ? c - 'a' + 10 : 36;
    if (digit >= *radix) return std::nullopt;
    if (number) number = checked_mul(*number, *radix);
    if (number) number = checked_add(*number, -digit);
  }
  if (number && !negative) number = *number == INT64_MIN ? std::nullopt : std::optional(-*number);
  if (!number) meter.invalid("an integer over 64 bits");
  return number;
}

std::optional<double> read_float(std::string_view text, Meter& meter) {
  const auto written = plain(text, meter);
  if (!written) return std::nullopt;
  std::string_view unsigned_text = *written;
  const double sign = take_sign(unsigned_text) ? -1 : 1;
  if (unsigned_text == "inf" || unsigned_text == "infinity") return sign * HUGE_VAL;
  if (unsigned_text == "nan") return std::nan("");
  const auto digits = without_underscores(unsigned_text);
  if (!digits || !is_decimal(*digits)) return std::nullopt;
  double number = 0;
  const auto error = std::from_chars(digits->data(), digits->data() + digits->size(), number).ec;
  if (error == std::errc::result_out_of_range) number = is_large(*digits) ? HUGE_VAL : 0;
  return sign * number;
}

std::partial_ordering compare_numbers(const Value& a, const Value& b, Meter& meter) {
  const double* x = a.get<double>();
  const double* y = b.get<double>();
  if (x && y) return *x <=> *y;
  if (!x && !y) return as_integer(a, meter) <=> as_integer(b, meter);
  if (x) return 0 <=> compare_numbers(b, a, meter);
  if (std::isnan(*y)) return std::partial_ordering::unordered;
  if (*y >= kTwoTo63) return std::partial_ordering::less;
  if (*y < -kTwoTo63) return std::partial_ordering::greater;
  const double below = std::floor(*y);
  const auto whole_part = as_integer(a, meter) <=> static_cast<int64_t>(below);
  if (whole_part != 0) return whole_part;
  return below < *y ? std::partial_ordering::less : std::partial_ordering::equivalent;
}

Value integer_arithmetic(const std::string& op, int64_t a, int64_t b, Meter& meter) {
  if (op == "+") return whole(checked_add(a, b), meter);
  if (op == "-") return whole(b == INT64_MIN ? std::nullopt : checked_add(a, -b), meter);
  if (op == "*") return whole(checked_mul(a, b), meter);
  if (op == "**") {
    if (b < 0) return Value(power(static_cast<double>(a), static_cast<double>(b), meter));
    std::optional<int64_t> product = 1;
    for (int64_t i = 0; i < b && product && *product != 0 && !(a == 1 || a == -1); ++i)
      product = checked_mul(*product, a);
    if (a == -1) product = b % 2 == 0 ? 1 : -1;
    return whole(product, meter);
  }
  if (b == 0) meter.invalid("a division by zero");
  if (op == "/") return Value(quotient(a, b));
  if (b == -1) return op == "//" ? whole(checked_mul(a, b), meter) : Value(int64_t{0});
  return op == "//" ? Value(floor_divide(a, b)) : Value(a - floor_divide(a, b) * b);
}

Value float_arithmetic(const std::string& op, double a, double b, Meter& meter) {
  if (op == "+") return Value(a + b);
  if (op == "-") return Value(a - b);
  if (op == "*") return Value(a * b);
  if (op == "**") return Value(power(a, b, meter));
  if (b == 0) meter.invalid("a division by zero");
  if (op == "/") return Value(a / b);
  const auto [quotient, rest] = divide_floats(a, b);
  return Value(op == "//" ? quotient : rest);
}

std::optional<Value> number_filter(const std::string& name, const Value& value, const Values& arguments,
                                   Meter& meter) {
  if (name == "int") return to_integer(value, arguments, meter);
  if (name == "float") return to_float(value, arguments, meter);
  if (name == "abs") return absolute(value, meter);
  if (name == "round") return round_filter(value, arguments, meter);
  return std::nullopt;
}

}  // namespace galago::jinja
