// What tabulate holds for a number: what Python's int() or float() reads, or one with commas between
// thousands.
#include <algorithm>
#include <charconv>
#include <cmath>

#include "core/utf8.h"
#include "documents/markdown_table.h"
#include "documents/words.h"
#include "text/unicode/unicode.h"

namespace galago::documents {
namespace {

enum class Kind : uint8_t { none, boolean, integer, real, text };

bool is_digit(char byte) { return byte >= '0' && byte <= '9'; }

/// The value of a decimal digit of any script; -1 for other characters. Their blocks have the ten in a row.
int digit_value(char32_t c) {
  if (c >= '0' && c <= '9') return static_cast<int>(c - '0');
  if (c < 128 || unicode::category(c) != unicode::Category::nd) return -1;
  int value = 0;
  while (value < 9 && unicode::category(c - static_cast<char32_t>(value) - 1) == unicode::Category::nd)
    ++value;
  return value;
}

/// The words with digits of all scripts as those of ASCII, and without single underscores between digits;
/// empty when something is in it that no number has.
std::string plain_number(std::string_view words) {
  std::string plain;
  bool underscore = false;
  for (size_t at = 0; at < words.size();) {
    const unicode::CodePoint point = unicode::decode_at(words, at);
    at += static_cast<size_t>(point.length);
    const int digit = digit_value(point.value);
    const bool behind_digit = !plain.empty() && is_digit(plain.back());
    if (underscore && digit < 0) return {};
    underscore = point.value == '_';
    if (underscore) {
      if (!behind_digit) return {};
    } else if (digit >= 0) {
      plain += static_cast<char>('0' + digit);
    } else if (point.value < 128) {
      plain += static_cast<char>(point.value);
    } else {
      return {};
    }
  }
  return underscore ? std::string() : plain;
}

bool is_integer(std::string_view plain) {
  static constexpr size_t kMostDigits = 4300;  // sys.get_int_max_str_digits()
  if (plain.starts_with('+') || plain.starts_with('-')) plain.remove_prefix(1);
  return !plain.empty() && plain.size() <= kMostDigits && std::all_of(plain.begin(), plain.end(), is_digit);
}

/// Whether float() reads it as a finite number.
bool is_finite_real(std::string_view plain) {
  if (plain.starts_with('+') || plain.starts_with('-')) plain.remove_prefix(1);
  const auto allowed = [](char byte) {
    return is_digit(byte) || byte == '.' || byte == 'e' || byte == 'E' || byte == '+' || byte == '-';
  };
  if (plain.empty() || plain.front() == '-' || !std::all_of(plain.begin(), plain.end(), allowed))
    return false;
  double value = 0;
  const auto [end, error] = std::from_chars(plain.data(), plain.data() + plain.size(), value);
  if (end != plain.data() + plain.size()) return false;
  if (error == std::errc()) return true;
  if (error != std::errc::result_out_of_range) return false;
  // Too small a number is 0, too large a one infinite.
  const size_t exponent = plain.find_first_of("eE");
  return exponent != std::string_view::npos && exponent + 1 < plain.size() && plain[exponent + 1] == '-';
}

/// 1,000 and 1,000.25 and .5, as a regular expression of tabulate says.
bool has_thousands(std::string_view words) {
  size_t at = words.starts_with('+') || words.starts_with('-') ? 1 : 0;
  const auto digits = [&](size_t most) {
    size_t count = 0;
    for (; at < words.size() && is_digit(words[at]) && count < most; ++at) ++count;
    return count;
  };
  const bool whole = digits(3) > 0;
  if (!whole && at > 0) return false;
  while (whole && at < words.size() && words[at] == ',') {
    ++at;
    if (digits(3) != 3) return false;
  }
  if (at == words.size()) return whole;
  if (words[at++] != '.') return false;
  const size_t decimals = digits(words.size());
  return at == words.size() && (whole || decimals > 0);
}

Kind kind_of(std::string_view words) {
  if (words.empty()) return Kind::none;
  if (words == "True" || words == "False") return Kind::boolean;
  const std::string plain = plain_number(stripped(words));
  const bool thousands = has_thousands(words);
  if (is_integer(plain) || (thousands && words.find('.') == std::string_view::npos)) return Kind::integer;
  std::string lower(words);
  std::transform(lower.begin(), lower.end(), lower.begin(),
                 [](char byte) { return byte >= 'A' && byte <= 'Z' ? static_cast<char>(byte + 32) : byte; });
  if (lower == "inf" || lower == "-inf" || lower == "nan") return Kind::real;
  return is_finite_real(plain) || thousands ? Kind::real : Kind::text;
}

}  // namespace

bool is_number_column(const std::vector<std::string_view>& words) {
  Kind most = Kind::boolean;
  for (const std::string_view word : words) {
    most = std::max(most, kind_of(word));
    if (most == Kind::text) return false;
  }
  return most != Kind::boolean;
}

}  // namespace galago::documents
