// Chooses the next token. In: the logits [vocabulary] of the last row and the ids seen so far.
// Out: one id: the largest score (greedy), or one drawn from the distribution that the filters leave.
// The order: processors (logits_processors.h), the tokens that a format allows, warpers (warpers.h), softmax,
// draw.
#pragma once

#include <cstdint>
#include <random>
#include <span>
#include <vector>

#include "galago/options.h"
#include "runtime/logits_processors.h"
#include "runtime/warpers.h"

namespace galago {

/// One sampler belongs to one answer: it remembers the ids that were seen and the state of its generator.
class Sampler {
 public:
  /// prompt: every id of it, image placeholders included as in the reference. Error{usage} for an option out
  /// of its range.
  Sampler(const GenerateOptions& options, int64_t vocab_size, TokenRules rules = {},
          std::span<const int32_t> prompt = {});

  /// Tokens of the answer were chosen.
  void observe(std::span<const int32_t> ids);

  /// The next token for logits [vocab_size]. allowed: bits of the ids that may come
  /// (structured/constraint.h), empty for all. Error{model_invalid} when a logit is not a number,
  /// Error{usage} when the options leave no token.
  int32_t next(std::span<const float> logits, std::span<const uint32_t> allowed = {});

  /// What `next` draws from when the temperature is above 0: probabilities [vocab_size], 0 where a filter
  /// dropped the token. Valid until the next call.
  std::span<const double> distribution(std::span<const float> logits, std::span<const uint32_t> allowed = {});

 private:
  void process(std::span<const float> logits, std::span<const uint32_t> allowed);
  bool keep_allowed(std::span<const float> logits, std::span<const uint32_t> allowed);
  int32_t draw();

  const GenerateOptions options_;
  const std::vector<int32_t> end_ids_;
  LogitsProcessors processors_;
  Warpers warpers_;
  std::vector<int32_t> ids_;           // of prompt and answer
  std::vector<float> scores_;          // [vocab_size], the logits on their way
  std::vector<double> probabilities_;  // [vocab_size]
  std::mt19937_64 random_;             // its sequence is fixed by the C++ standard, so the same everywhere
};

}  // namespace galago
