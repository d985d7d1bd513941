// From logits to a token: the steps in their order, then the largest score or a draw.
#include "runtime/sampler.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <string>
#include <utility>

#include "galago/error.h"
#include "runtime/options.h"
#include "structured/constraint.h"

namespace galago {
namespace {

void check_numbers(std::span<const float> logits, size_t vocab_size) {
  if (logits.size() != vocab_size)
    throw Error(ErrorCode::internal,
                {"logits", std::to_string(logits.size()), std::to_string(vocab_size), ""});
  const auto bad = std::ranges::find_if(logits, [](float x) { return std::isnan(x); });
  if (bad != logits.end())
    throw Error(ErrorCode::model_invalid,
                {"logits", "not a number at token " + std::to_string(bad - logits.begin()), "numbers",
                 "the weights may be damaged or hold values too large for their type"});
}

bool is_open(float score) { return score > -std::numeric_limits<float>::infinity(); }

void check_own(std::span<const float> scores) {
  if (std::ranges::any_of(scores, [](float x) { return std::isnan(x); }))
    throw Error(ErrorCode::usage, {"processors", "a score that is not a number", "numbers or -infinity", ""});
}

TokenRules with_prompt(TokenRules rules, std::span<const int32_t> prompt) {
  rules.prompt_tokens = std::ssize(prompt);
  return rules;
}

}  // namespace

Sampler::Sampler(const GenerateOptions& options, int64_t vocab_size, TokenRules rules,
                 std::span<const int32_t> prompt)
    : options_((check_options(options), options)),
      end_ids_(rules.end_ids),
      processors_(make_logits_processors(options, with_prompt(std::move(rules), prompt), vocab_size)),
      warpers_(options, vocab_size),
      ids_(prompt.begin(), prompt.end()),
      scores_(static_cast<size_t>(vocab_size)),
      probabilities_(static_cast<size_t>(vocab_size)),
      random_(options.seed) {}

void Sampler::observe(std::span<const int32_t> ids) { ids_.insert(ids_.end(), ids.begin(), ids.end()); }

int32_t Sampler::next(std::span<const float> logits, std::span<const uint32_t> allowed) {
  if (options_.temperature > 0) {
    distribution(logits, allowed);
    return draw();
  }
  process(logits, allowed);
  // The first of the largest, as torch.argmax.
  return static_cast<int32_t>(std::ranges::max_element(scores_) - scores_.begin());
}

std::span<const double> Sampler::distribution(std::span<const float> logits,
                                              std::span<const uint32_t> allowed) {
  process(logits, allowed);
  if (options_.temperature > 0) warpers_.apply(scores_);
  softmax(scores_, probabilities_);
  return probabilities_;
}

void Sampler::process(std::span<const float> logits, std::span<const uint32_t> allowed) {
  check_numbers(logits, scores_.size());
  std::ranges::copy(logits, scores_.begin());
  for (const auto& processor : processors_) processor->process(ids_, scores_);
  if (!options_.processors.empty()) check_own(scores_);
  const bool left = allowed.empty() ? processors_.empty() || std::ranges::any_of(scores_, is_open)
                                    : keep_allowed(logits, allowed);
  if (!left && std::ranges::any_of(logits, is_open))
    throw Error(ErrorCode::usage,
                {"options", "every token is forbidden", "one that may come next",
                 "suppressed tokens, bad words, n-grams and the answer's format leave none together"});
}

// Where a form is whole the answer ends, also when it was to be longer.
bool Sampler::keep_allowed(std::span<const float> logits, std::span<const uint32_t> allowed) {
  if (forbid_others(allowed, scores_)) return true;
  bool left = false;
  for (const int32_t id : end_ids_)
    if (const auto at = static_cast<size_t>(id);
        id >= 0 && at < scores_.size() && (allowed[at / 32] >> (at % 32) & 1) != 0) {
      scores_[at] = logits[at];
      left |= is_open(logits[at]);
    }
  return left;
}

// Inverse of the cumulative distribution, in the order of the ids.
int32_t Sampler::draw() {
  const double uniform = static_cast<double>(random_() >> 11) * 0x1p-53;  // [0, 1), 53 bits
  double sum = 0;
  int32_t last = 0;
  for (size_t i = 0; i < probabilities_.size(); ++i) {
    if (probabilities_[i] == 0) continue;
    last = static_cast<int32_t>(i);
    sum += probabilities_[i];
    if (uniform < sum) break;
  }
  return last;  // rounding may leave the sum just below 1: then the last that can be drawn
}

}  // namespace galago
