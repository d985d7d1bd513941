// See the header.
#include "runtime/row_scores.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>
#include <string>

#include "galago/error.h"

namespace galago {
namespace {

// What is less likely than the likeliest by e^-20 changes a logarithm by 1e-4 at most, if 50,000 others are.
constexpr float kFaint = -20;

float largest(std::span<const float> values) {
  return values.empty() ? -std::numeric_limits<float>::infinity() : *std::ranges::max_element(values);
}

double sum_of_exponentials(std::span<const float> logits, float peak) {
  double sum = 0;
  for (const float logit : logits)
    if (const float distance = logit - peak; distance > kFaint) sum += std::exp(distance);
  return sum;
}

}  // namespace

RowScores::RowScores(std::span<const float> logits) : logits_(logits) {
  const float peak = largest(logits);
  if (!std::isfinite(peak))
    throw Error(ErrorCode::model_invalid,
                {"logits", "a largest one of " + std::to_string(peak), "a finite one",
                 "the weights may be damaged or hold values too large for their type"});
  const auto best = std::ranges::find(logits, peak) - logits.begin();
  best_ = static_cast<int32_t>(best);
  second_ = std::max(largest(logits.first(static_cast<size_t>(best))),
                     largest(logits.subspan(static_cast<size_t>(best) + 1)));
  norm_ = static_cast<double>(peak) + std::log(sum_of_exponentials(logits, peak));
}

TokenScore RowScores::of(int32_t id) const {
  const float other = id == best_ ? second_ : logits_[static_cast<size_t>(best_)];
  return {.logprob = static_cast<float>(logprob(id)), .margin = logits_[static_cast<size_t>(id)] - other};
}

std::vector<TokenLogprob> RowScores::top(int count) const {
  std::vector<int32_t> order(logits_.size());
  std::iota(order.begin(), order.end(), 0);
  const auto end = order.begin() + std::min<std::ptrdiff_t>(count, std::ssize(order));
  std::partial_sort(order.begin(), end, order.end(), [this](int32_t a, int32_t b) {
    const float one = logits_[static_cast<size_t>(a)], two = logits_[static_cast<size_t>(b)];
    return one != two ? one > two : a < b;
  });
  std::vector<TokenLogprob> top;
  for (auto id = order.begin(); id != end; ++id) {
    top.emplace_back().id = *id;
    top.back().logprob = logprob(*id);
  }
  return top;
}

}  // namespace galago
