// Chooses the next token. In: the logits [vocabulary] of the last row and the ids seen so far.
// Out: one id: the largest score (greedy), or one drawn from the distribution that the filters leave.
// Reference: transformers 5.18 generation/logits_process.py; the order of the steps is that of
// _get_logits_processor: repetition penalty, banned sequences, temperature, top-k, top-p, min-p, softmax,
// draw.
#pragma once

#include <cstdint>
#include <random>
#include <span>
#include <vector>

#include "galago/options.h"

namespace galago {

/// What a model's generation_config.json asks of every answer.
struct TokenRules {
  double repetition_penalty = 1;             ///< where the options set none
  std::vector<std::vector<int32_t>> banned;  ///< sequences of ids that must not come about
};

/// One sampler belongs to one answer: it remembers the ids that were seen and the state of its generator.
/// Takes no memory after construction.
class Sampler {
 public:
  /// Error{usage} for an option out of its range.
  Sampler(const GenerateOptions& options, int64_t vocab_size, const TokenRules& rules = {});

  /// Adds ids to those that the repetition penalty applies to: every id of the prompt, image placeholders
  /// included as in the reference, and each chosen token. Ids outside the vocabulary are ignored, since they
  /// have no score.
  void observe(std::span<const int32_t> ids);

  /// The next token for logits [vocab_size]. Error{model_invalid} when a logit is not a number, or when the
  /// filtered scores have no finite largest one to draw from.
  int32_t next(std::span<const float> logits);

  /// What `next` draws from when the temperature is above 0: probabilities [vocab_size], 0 where a filter
  /// dropped the token. Valid until the next call.
  std::span<const double> distribution(std::span<const float> logits);

 private:
  void check(std::span<const float> logits) const;
  void penalise(std::span<const float> logits);
  void ban();
  void keep_top_k();
  void keep_top_p();
  void keep_min_p();
  void softmax();
  int32_t draw();

  GenerateOptions options_;
  float repetition_penalty_;
  std::vector<std::vector<int32_t>> banned_;  // sequences that are not empty, of ids that have a score
  std::vector<int32_t> recent_;               // the last ids seen, as many as a banned sequence can need
  size_t most_recent_ = 0;
  std::vector<float> scores_;          // [vocab_size], the logits on their way through the filters
  std::vector<double> probabilities_;  // [vocab_size]
  std::vector<int32_t> order_;         // scratch of the filters that sort
  std::vector<int32_t> seen_;          // each id once
  std::vector<bool> is_seen_;          // [vocab_size]
  std::mt19937_64 random_;             // its sequence is fixed by the C++ standard, so the same everywhere
};

}  // namespace galago
