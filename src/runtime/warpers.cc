// Scores are float32 as in the reference, sums are double.
#include "runtime/warpers.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <string>

#include "galago/error.h"

namespace galago {
namespace {

constexpr float kDropped = -std::numeric_limits<float>::infinity();

}  // namespace

void softmax(std::span<const float> scores, std::span<double> probabilities) {
  const float peak = *std::max_element(scores.begin(), scores.end());
  if (!std::isfinite(peak)) {
    throw Error(ErrorCode::model_invalid,
                {"logits", "a largest score of " + std::to_string(peak), "a finite one",
                 "the weights may be damaged or hold values too large for their type"});
  }
  double sum = 0;
  for (size_t i = 0; i < scores.size(); ++i) {
    probabilities[i] = scores[i] == kDropped ? 0.0 : std::exp(static_cast<double>(scores[i] - peak));
    sum += probabilities[i];
  }
  for (double& probability : probabilities) probability /= sum;
}

Warpers::Warpers(const GenerateOptions& options, int64_t vocab_size) : options_(options) {
  const auto size = static_cast<size_t>(vocab_size);
  probabilities_.resize(size);
  if (options.typical_p < 1) shifted_.resize(size);
  order_.reserve(size);
}

void Warpers::apply(std::span<float> scores) {
  const auto temperature = static_cast<float>(options_.temperature);
  if (temperature != 1)
    for (float& score : scores) score /= temperature;
  if (options_.top_k > 0) keep_top_k(scores);
  if (options_.top_p < 1) keep_top_p(scores);
  if (options_.min_p > 0) keep_min_p(scores);
  if (options_.typical_p < 1) keep_typical(scores);
  if (options_.epsilon_cutoff > 0) {
    softmax(scores, probabilities_);
    cut(scores, options_.epsilon_cutoff);
  }
  if (const double eta = options_.eta_cutoff; eta > 0) {
    softmax(scores, probabilities_);
    cut(scores, std::min(eta, std::sqrt(eta) * std::exp(-entropy())));
  }
}

// Scores equal to the k-th stay, so that more than k may remain.
void Warpers::keep_top_k(std::span<float> scores) {
  if (options_.top_k >= std::ssize(scores)) return;
  order_.resize(scores.size());
  for (size_t i = 0; i < order_.size(); ++i) order_[i] = static_cast<int32_t>(i);
  const auto kth = order_.begin() + (options_.top_k - 1);
  std::nth_element(order_.begin(), kth, order_.end(),
                   [&](int32_t a, int32_t b) { return scores[a] > scores[b]; });
  const float least = scores[*kth];
  for (float& score : scores)
    if (score < least) score = kDropped;
}

// Drops the least likely tokens as long as their probabilities add up to at most 1 - p; the likeliest stays.
// Among equals the later id counts as the likelier, as in the reference's stable ascending sort.
void Warpers::keep_top_p(std::span<float> scores) {
  softmax(scores, probabilities_);
  order_.clear();
  for (size_t i = 0; i < scores.size(); ++i)
    if (scores[i] != kDropped) order_.push_back(static_cast<int32_t>(i));
  std::sort(order_.begin(), order_.end(),
            [&](int32_t a, int32_t b) { return scores[a] != scores[b] ? scores[a] < scores[b] : a < b; });
  const auto limit = static_cast<float>(1 - options_.top_p);
  double sum = 0;
  for (size_t i = 0; i + 1 < order_.size(); ++i) {
    sum += probabilities_[order_[i]];
    if (static_cast<float>(sum) > limit) break;
    scores[order_[i]] = kDropped;
  }
}

// Drops tokens less likely than min_p times the likeliest.
void Warpers::keep_min_p(std::span<float> scores) {
  softmax(scores, probabilities_);
  const auto least = static_cast<float>(options_.min_p) *
                     static_cast<float>(*std::max_element(probabilities_.begin(), probabilities_.end()));
  for (size_t i = 0; i < scores.size(); ++i)
    if (static_cast<float>(probabilities_[i]) < least) scores[i] = kDropped;
}

// Keeps the tokens whose surprise, -log p, is nearest to the mean surprise, until their probabilities reach
// typical_p; those as near as the last of them stay too.
void Warpers::keep_typical(std::span<float> scores) {
  softmax(scores, probabilities_);
  const double mean = entropy();
  order_.clear();
  for (size_t i = 0; i < scores.size(); ++i) {
    if (probabilities_[i] == 0) {
      scores[i] = kDropped;
      continue;
    }
    shifted_[i] = static_cast<float>(std::abs(-std::log(probabilities_[i]) - mean));
    order_.push_back(static_cast<int32_t>(i));
  }
  std::stable_sort(order_.begin(), order_.end(),
                   [&](int32_t a, int32_t b) { return shifted_[a] < shifted_[b]; });
  size_t last = 0;
  double sum = 0;
  for (; last + 1 < order_.size(); ++last) {
    sum += probabilities_[order_[last]];
    if (static_cast<float>(sum) >= static_cast<float>(options_.typical_p)) break;
  }
  const float farthest = shifted_[order_[last]];
  for (const int32_t id : order_)
    if (shifted_[id] > farthest) scores[id] = kDropped;
}

void Warpers::cut(std::span<float> scores, double least) {
  const float peak = *std::max_element(scores.begin(), scores.end());
  for (size_t i = 0; i < scores.size(); ++i)
    if (static_cast<float>(probabilities_[i]) < static_cast<float>(least) && scores[i] < peak)
      scores[i] = kDropped;
}

// Of probabilities_, in nats.
double Warpers::entropy() const {
  double sum = 0;
  for (const double p : probabilities_)
    if (p > 0) sum -= p * std::log(p);
  return sum;
}

}  // namespace galago
