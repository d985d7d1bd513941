// A call takes a + b * rows milliseconds: a for the weights, which are read once, b for a row's arithmetic.
#include "runtime/call_costs.h"

#include <algorithm>

namespace galago {
namespace {

constexpr double kForgetting = 0.98;
constexpr double kFewestCalls = 4;
constexpr double kLeastSpread = 0.5;  // of the rows of calls, squared
// b / (a + b), while it is not known and within which it is believed.
constexpr double kBeforehand = 0.15;
constexpr double kLeast = 0.03;
constexpr double kMost = 0.9;

}  // namespace

void CallCosts::add(int64_t rows, double ms) {
  const auto x = static_cast<double>(rows);
  const auto sum = [](double& old, double value) { old = old * kForgetting + value; };
  sum(n_, 1);
  sum(rows_, x);
  sum(ms_, ms);
  sum(rows_rows_, x * x);
  sum(rows_ms_, x * ms);
}

double CallCosts::worth(int64_t sequences) const {
  double part = kBeforehand;
  if (n_ >= kFewestCalls) {
    const double x = rows_ / n_, y = ms_ / n_;
    const double spread = rows_rows_ / n_ - x * x;
    if (spread >= kLeastSpread && y > 0) {
      const double slope = (rows_ms_ / n_ - x * y) / spread;
      const double alone = y - slope * (x - 1);
      part = alone > 0 ? slope / alone : kMost;
    }
  }
  part = std::clamp(part, kLeast, kMost);
  // b / (b + a / sequences)
  const auto many = static_cast<double>(std::max<int64_t>(sequences, 1));
  return part / (part + (1 - part) / many);
}

}  // namespace galago
