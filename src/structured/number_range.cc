// JSON numbers between two limits, digit by digit. In: exact decimals. Out: an expression of EBNF. No
// exponents: a text of digits compares like the number that it is.
#include <algorithm>
#include <string>
#include <vector>

#include "structured/schema_node.h"

namespace galago {
namespace {

constexpr size_t kWhole = 15;    // digits before the point where nothing limits them
constexpr size_t kFraction = 6;  // after the point, beside the first
constexpr size_t kTail = 3;      // after those of a limit: all together a double still tells apart

std::string digits(char first, char last) {
  return first == last ? std::string("\"") + first + "\"" : std::string("[") + first + "-" + last + "]";
}

std::string up_to(size_t n) { return n == 0 ? "" : " [0-9]{0," + std::to_string(n) + "}"; }

std::string either(const std::vector<std::string>& ways) {
  if (ways.empty()) return {};
  std::string out = "(" + ways[0];
  for (size_t i = 1; i < ways.size(); ++i) out += " | " + ways[i];
  return out + ")";
}

/// Two limits that are not negative, low <= high, and the texts between them.
class Between {
 public:
  Between(NumberLimit low, std::optional<NumberLimit> high, bool integer)
      : low_(std::move(low)), high_(std::move(high)), integer_(integer) {}

  std::string expression() {
    const size_t least = low_.whole.size();
    const size_t most = high_ ? high_->whole.size() : std::max(least, kWhole);
    std::vector<std::string> ways;
    for (size_t n = least; n <= most; ++n) add(ways, whole(n, 0, n == least, high_ && n == most));
    return either(ways);
  }

 private:
  static void add(std::vector<std::string>& ways, std::string way) {
    if (!way.empty()) ways.push_back(std::move(way));
  }

  /// Digit `at` of n before the point; from_low: so far like low's, to_high: like high's.
  std::string whole(size_t n, size_t at, bool from_low, bool to_high) {
    if (at == n) return fraction(0, from_low, to_high);
    const char first = from_low ? low_.whole[at] : at == 0 && n > 1 ? '1' : '0';
    const char last = to_high ? high_->whole[at] : '9';
    return by_digit(first, last, from_low, to_high, [&](bool low, bool high) {
      if (!low && !high) {
        const size_t more = n - at - 1;
        const std::string some = more == 0 ? "" : " [0-9]{" + std::to_string(more) + "}";
        return some + (integer_ ? "" : " (\".\" [0-9]" + up_to(kFraction) + ")?");
      }
      const std::string rest = whole(n, at + 1, low, high);
      return rest.empty() ? rest : " " + rest;
    });
  }

  /// What follows `at` digits after the point, which were low's and high's.
  std::string fraction(size_t at, bool from_low, bool to_high) {
    const bool above = !from_low || (at >= low_.fraction.size() && !low_.exclusive);
    // A fraction that ends here is low's beginning: enough only when all of low was there.
    const bool below = !to_high || at < high_->fraction.size() || !high_->exclusive;
    const bool may_end = above && below;
    if (integer_) return may_end ? "\"\"" : "";
    if (!from_low && !to_high)
      return at == 0 ? "(\".\" [0-9]" + up_to(kFraction) + ")?" : "[0-9]{0," + std::to_string(kTail) + "}";
    const size_t longest =
        std::max(from_low ? low_.fraction.size() : 0, to_high ? high_->fraction.size() : 0);
    if (at > longest + 1) return may_end ? "\"\"" : "";  // zeros all the way
    const char first = from_low ? digit_of(low_.fraction, at) : '0';
    const char last = to_high ? digit_of(high_->fraction, at) : '9';
    std::string rest = by_digit(first, last, from_low, to_high, [&](bool low, bool high) {
      const std::string more = fraction(at + 1, low, high);
      return more.empty() ? more : " " + more;
    });
    if (rest.empty()) return may_end ? "\"\"" : "";
    if (at == 0) rest = "\".\" " + rest;
    return may_end ? "(" + rest + ")?" : rest;
  }

  static char digit_of(const std::string& text, size_t at) { return at < text.size() ? text[at] : '0'; }

  /// Digits from first to last, the ends apart where they are low's or high's.
  template <typename Rest>
  std::string by_digit(char first, char last, bool from_low, bool to_high, const Rest& rest) {
    std::vector<std::string> ways;
    const auto way = [&](char a, char b, bool low, bool high) {
      if (a > b) return;
      const std::string more = rest(low, high);
      if (!more.empty() || (!low && !high)) add(ways, digits(a, b) + more);
    };
    if (first > last) return {};
    if (from_low && to_high && first == last) {
      way(first, first, true, true);
    } else {
      if (from_low) way(first, first, true, false);
      way(from_low ? static_cast<char>(first + 1) : first, to_high ? static_cast<char>(last - 1) : last,
          false, false);
      if (to_high) way(last, last, false, true);
    }
    return either(ways);
  }

  NumberLimit low_;
  std::optional<NumberLimit> high_;
  bool integer_;
};

bool is_zero(const NumberLimit& limit) { return limit.whole == "0" && limit.fraction.empty(); }

/// Of two that are not negative.
int compare(const NumberLimit& a, const NumberLimit& b) {
  if (a.whole.size() != b.whole.size()) return a.whole.size() < b.whole.size() ? -1 : 1;
  if (const int order = a.whole.compare(b.whole); order != 0) return order;
  return a.fraction.compare(b.fraction);
}

std::string between(const NumberLimit& low, const std::optional<NumberLimit>& high, bool integer) {
  if (high) {
    const int order = compare(low, *high);
    if (order > 0 || (order == 0 && (low.exclusive || high->exclusive))) return {};
  }
  return Between(low, high, integer).expression();
}

}  // namespace

std::string number_range(const std::optional<NumberLimit>& low, const std::optional<NumberLimit>& high,
                         bool integer) {
  std::vector<std::string> ways;
  const auto add = [&](const std::string& sign, const std::string& range) {
    if (!range.empty()) ways.push_back(sign + range);
  };
  const auto positive = [](NumberLimit limit) {
    limit.negative = false;
    return limit;
  };
  if (!high || !high->negative || is_zero(*high)) {
    const bool from_zero = !low || (low->negative && !is_zero(*low));
    add("", between(from_zero ? NumberLimit{} : positive(*low), high ? std::optional(positive(*high)) : high,
                    integer));
  }
  if (!low || (low->negative && !is_zero(*low))) {
    NumberLimit nearest{.exclusive = true};
    if (high && high->negative && !is_zero(*high)) nearest = positive(*high);
    add("\"-\" ", between(nearest, low ? std::optional(positive(*low)) : std::nullopt, integer));
  }
  return either(ways);
}

}  // namespace galago
