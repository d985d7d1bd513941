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

// What is less likely than the likeliest by e^-30 changes no sum that is written down.
constexpr float kFaint = -30;

}  // namespace

RowScores::RowScores(std::span<const float> logits) : logits_(logits) {
  second_ = -std::numeric_limits<float>::infinity();
  for (size_t i = 1; i < logits.size(); ++i) {
    const float logit = logits[i];
    if (logit > logits[static_cast<size_t>(best_)]) {
      second_ = logits[static_cast<size_t>(best_)];
      best_ = static_cast<int32_t>(i);
    } else if (logit > second_) {
      second_ = logit;
    }
  }
  const float peak = logits.empty() ? second_ : logits[static_cast<size_t>(best_)];
  if (!std::isfinite(peak))
    throw Error(ErrorCode::model_invalid,
                {"logits", "a largest one of " + std::to_string(peak), "a finite one",
                 "the weights may be damaged or hold values too large for their type"});
  double sum = 0;
  for (const float logit : logits)
    if (const float distance = logit - peak; distance > kFaint) sum += std::exp(distance);
  norm_ = static_cast<double>(peak) + std::log(sum);
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
