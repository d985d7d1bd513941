// What sampling makes of scores before it draws: temperature and the filters that drop unlikely tokens. In:
// scores [vocabulary]. Out: the same, -infinity where a token was dropped. Reference: transformers 5.18
// generation/logits_process.py, the warpers of GenerationMixin._get_logits_processor in their order.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "galago/options.h"

namespace galago {

/// Probabilities of scores, in double. Error{model_invalid} when the largest score is not finite.
void softmax(std::span<const float> scores, std::span<double> probabilities);

/// Takes no memory after construction.
class Warpers {
 public:
  Warpers(const GenerateOptions& options, int64_t vocab_size);

  /// Temperature, top-k, top-p, min-p, typical, epsilon cutoff, eta cutoff. The likeliest token always stays.
  void apply(std::span<float> scores);

 private:
  void keep_top_k(std::span<float> scores);
  void keep_top_p(std::span<float> scores);
  void keep_min_p(std::span<float> scores);
  void keep_typical(std::span<float> scores);
  void cut(std::span<float> scores, double least);
  double entropy() const;

  const GenerateOptions options_;
  std::vector<double> probabilities_;  // [vocab_size]
  std::vector<float> shifted_;         // [vocab_size], of keep_typical
  std::vector<int32_t> order_;         // scratch of the filters that sort
};

}  // namespace galago
