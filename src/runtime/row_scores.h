// What one row of logits says about tokens. In: raw logits [vocabulary]. Out: logarithms of probabilities.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "galago/tokens.h"

namespace galago {

/// How sure the model was of a token.
struct TokenScore {
  float logprob = 0;
  float margin = 0;  ///< its logit less that of the likeliest other token
};

/// The logits must outlive it.
class RowScores {
 public:
  /// Error{model_invalid} when the largest is not finite.
  explicit RowScores(std::span<const float> logits);

  double logprob(int32_t id) const { return static_cast<double>(logits_[static_cast<size_t>(id)]) - norm_; }
  /// Of an id that has a logit.
  TokenScore of(int32_t id) const;
  /// The likeliest `count`, the likeliest first, of equals the lower id; texts are left empty.
  std::vector<TokenLogprob> top(int count) const;

 private:
  std::span<const float> logits_;
  double norm_ = 0;  // log of the sum of e^logit
  int32_t best_ = 0;
  float second_ = 0;  // the largest logit of another
};

}  // namespace galago
