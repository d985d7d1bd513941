// The filters between logits and a token, each as the reference defines it.
// In: logits [vocabulary]. Out: a token id, or the distribution it is drawn from. Scores are float32 as in
// the reference, sums are double. A dropped token has the score -infinity.
#include "runtime/sampler.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <string>

#include "galago/error.h"
#include "runtime/options.h"

namespace galago {
namespace {

constexpr float kDropped = -std::numeric_limits<float>::infinity();

// The first of the largest, as torch.argmax.
int32_t argmax(std::span<const float> scores) {
  return static_cast<int32_t>(std::max_element(scores.begin(), scores.end()) - scores.begin());
}

}  // namespace

Sampler::Sampler(const GenerateOptions& options, int64_t vocab_size, const TokenRules& rules)
    : options_(options),
      repetition_penalty_(static_cast<float>(options.repetition_penalty.value_or(rules.repetition_penalty))),
      random_(options.seed) {
  check_options(options);
  for (const std::vector<int32_t>& sequence : rules.banned) {
    const auto has_score = [&](int32_t id) { return id >= 0 && id < vocab_size; };
    if (sequence.empty() || !std::all_of(sequence.begin(), sequence.end(), has_score)) continue;
    banned_.push_back(sequence);
    most_recent_ = std::max(most_recent_, sequence.size() - 1);
  }
  recent_.reserve(most_recent_);
  const auto size = static_cast<size_t>(vocab_size);
  scores_.resize(size);
  is_seen_.resize(size);
  seen_.reserve(size);
  probabilities_.resize(size);
  order_.reserve(size);
}

void Sampler::observe(std::span<const int32_t> ids) {
  for (const int32_t id : ids) {
    if (most_recent_ > 0) {
      if (recent_.size() == most_recent_) recent_.erase(recent_.begin());
      recent_.push_back(id);
    }
    if (id < 0 || id >= static_cast<int64_t>(is_seen_.size()) || is_seen_[id]) continue;
    is_seen_[id] = true;
    seen_.push_back(id);
  }
}

int32_t Sampler::next(std::span<const float> logits) {
  if (options_.temperature > 0) {
    distribution(logits);
    return draw();
  }
  check(logits);
  penalise(logits);
  ban();
  return argmax(scores_);
}

std::span<const double> Sampler::distribution(std::span<const float> logits) {
  check(logits);
  penalise(logits);
  ban();
  const auto temperature = static_cast<float>(options_.temperature);
  if (temperature != 0 && temperature != 1) {
    for (float& score : scores_) score /= temperature;
  }
  if (options_.top_k > 0) keep_top_k();
  if (options_.top_p < 1) keep_top_p();
  if (options_.min_p > 0) keep_min_p();
  softmax();
  return probabilities_;
}

void Sampler::check(std::span<const float> logits) const {
  if (logits.size() != scores_.size()) {
    throw Error(ErrorCode::internal,
                {"logits", std::to_string(logits.size()), std::to_string(scores_.size()), ""});
  }
  const auto bad = std::find_if(logits.begin(), logits.end(), [](float x) { return std::isnan(x); });
  if (bad != logits.end()) {
    throw Error(ErrorCode::model_invalid,
                {"logits", "not a number at token " + std::to_string(bad - logits.begin()), "numbers",
                 "the weights may be damaged or hold values too large for their type"});
  }
}

void Sampler::penalise(std::span<const float> logits) {
  std::copy(logits.begin(), logits.end(), scores_.begin());
  if (repetition_penalty_ == 1) return;
  for (const int32_t id : seen_) {
    float& score = scores_[id];
    score = score < 0 ? score * repetition_penalty_ : score / repetition_penalty_;
  }
}

// The last id of a banned sequence is dropped where the ids before it have just come.
void Sampler::ban() {
  for (const std::vector<int32_t>& sequence : banned_) {
    const size_t before = sequence.size() - 1;
    if (before > recent_.size()) continue;
    if (std::equal(sequence.begin(), sequence.end() - 1, recent_.end() - static_cast<std::ptrdiff_t>(before)))
      scores_[static_cast<size_t>(sequence.back())] = kDropped;
  }
}

// Scores equal to the k-th stay, so that more than k may remain.
void Sampler::keep_top_k() {
  if (options_.top_k >= static_cast<int64_t>(scores_.size())) return;
  order_.resize(scores_.size());
  for (size_t i = 0; i < order_.size(); ++i) order_[i] = static_cast<int32_t>(i);
  const auto kth = order_.begin() + (options_.top_k - 1);
  std::nth_element(order_.begin(), kth, order_.end(),
                   [this](int32_t a, int32_t b) { return scores_[a] > scores_[b]; });
  const float least = scores_[*kth];
  for (float& score : scores_) {
    if (score < least) score = kDropped;
  }
}

// Drops the least likely tokens as long as their probabilities add up to at most 1 - p; the likeliest stays.
// Among equals the later id counts as the likelier, as in the reference's stable ascending sort.
void Sampler::keep_top_p() {
  softmax();
  order_.clear();
  for (size_t i = 0; i < scores_.size(); ++i) {
    if (scores_[i] != kDropped) order_.push_back(static_cast<int32_t>(i));
  }
  std::sort(order_.begin(), order_.end(), [this](int32_t a, int32_t b) {
    return scores_[a] != scores_[b] ? scores_[a] < scores_[b] : a < b;
  });
  const auto limit = static_cast<float>(1 - options_.top_p);
  double sum = 0;
  for (size_t i = 0; i + 1 < order_.size(); ++i) {
    sum += probabilities_[order_[i]];
    if (static_cast<float>(sum) > limit) break;
    scores_[order_[i]] = kDropped;
  }
}

// Drops tokens less likely than min_p times the likeliest; the likeliest stays.
void Sampler::keep_min_p() {
  softmax();
  const auto least = static_cast<float>(options_.min_p) *
                     static_cast<float>(*std::max_element(probabilities_.begin(), probabilities_.end()));
  for (size_t i = 0; i < scores_.size(); ++i) {
    if (static_cast<float>(probabilities_[i]) < least) scores_[i] = kDropped;
  }
}

void Sampler::softmax() {
  const float peak = scores_[argmax(scores_)];
  if (!std::isfinite(peak)) {
    throw Error(ErrorCode::model_invalid,
                {"logits", "a largest score of " + std::to_string(peak), "a finite one",
                 "the weights may be damaged or hold values too large for their type"});
  }
  double sum = 0;
  for (size_t i = 0; i < scores_.size(); ++i) {
    probabilities_[i] = scores_[i] == kDropped ? 0.0 : std::exp(static_cast<double>(scores_[i] - peak));
    sum += probabilities_[i];
  }
  for (double& probability : probabilities_) probability /= sum;
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
