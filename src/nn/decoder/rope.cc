// float32 and the order of operations of the reference, so that angles at large positions agree.
#include "nn/decoder/rope.h"

#include <algorithm>
#include <cmath>
#include <numbers>
#include <string>
#include <utility>

#include "galago/error.h"

namespace galago {
namespace {

// Llama 3: long wavelengths are stretched by `factor`, short ones kept, those between blended.
float llama3_frequency(float inv_freq, const RopeConfig& rope) {
  const auto original = static_cast<float>(rope.original_max_position_embeddings);
  const float wavelength = 2 * std::numbers::pi_v<float> / inv_freq;
  const float longest_kept = original / rope.high_freq_factor;
  const float shortest_stretched = original / rope.low_freq_factor;
  if (wavelength < longest_kept) return inv_freq;
  if (wavelength > shortest_stretched) return inv_freq / rope.factor;
  const float smooth =
      (original / wavelength - rope.low_freq_factor) / (rope.high_freq_factor - rope.low_freq_factor);
  return (1 - smooth) * inv_freq / rope.factor + smooth * inv_freq;
}

// The pair whose wave turns so often within the original length, between pairs.
double pair_of_turns(double turns, const RopeConfig& rope, double head_dim) {
  const auto original = static_cast<double>(rope.original_max_position_embeddings);
  return head_dim * std::log(original / (turns * 2 * std::numbers::pi)) /
         (2 * std::log(static_cast<double>(rope.rope_theta)));
}

// YaRN: from pair `low` on waves are blended, from `high` on stretched by `factor`.
std::vector<float> yarn_frequencies(std::vector<float> waves, const RopeConfig& rope, int64_t head_dim) {
  const auto width = static_cast<double>(head_dim);
  double low = pair_of_turns(rope.beta_fast, rope, width), high = pair_of_turns(rope.beta_slow, rope, width);
  if (rope.truncate) {
    low = std::floor(low);
    high = std::ceil(high);
  }
  low = std::max(low, 0.0);
  high = std::min(high, width - 1);
  if (low == high) high += 0.001;
  for (size_t j = 0; j < waves.size(); ++j) {
    const float at = (static_cast<float>(j) - static_cast<float>(low)) / static_cast<float>(high - low);
    const float kept = 1 - std::clamp(at, 0.0F, 1.0F);
    const float stretched = 1 / (rope.factor * waves[j]);
    waves[j] = stretched * (1 - kept) + 1 / waves[j] * kept;
  }
  return waves;
}

std::vector<float> divided(std::vector<float> waves, const std::vector<float>& divisors) {
  if (divisors.size() != waves.size())
    throw Error(ErrorCode::model_invalid, {.where = "config.json: text_config longrope factors",
                                           .got = std::to_string(divisors.size()),
                                           .expected = std::to_string(waves.size()) + ", one for each pair"});
  for (size_t j = 0; j < waves.size(); ++j) waves[j] = 1 / (divisors[j] * waves[j]);
  return waves;
}

// What the frequencies are the inverses of.
std::vector<float> wave_lengths(const RopeConfig& rope, int64_t head_dim) {
  std::vector<float> waves(static_cast<size_t>(head_dim / 2));
  for (size_t j = 0; j < waves.size(); ++j) {
    const float exponent = static_cast<float>(2 * j) / static_cast<float>(head_dim);
    waves[j] = std::pow(rope.rope_theta, exponent);
  }
  return waves;
}

}  // namespace

std::vector<float> rope_inverse_frequencies(const RopeConfig& rope, int64_t head_dim) {
  std::vector<float> waves = wave_lengths(rope, head_dim);
  if (rope.rope_type == "longrope") return divided(std::move(waves), rope.divisors);
  if (rope.rope_type == "yarn") return yarn_frequencies(std::move(waves), rope, head_dim);
  std::vector<float> inv_freq;
  for (const float wave : waves) inv_freq.push_back(1 / wave);
  if (rope.rope_type == "default") return inv_freq;
  if (rope.rope_type == "linear") {
    for (float& f : inv_freq) f /= rope.factor;
  } else if (rope.rope_type == "llama3") {
    for (float& f : inv_freq) f = llama3_frequency(f, rope);
  } else if (rope.rope_type == "proportional") {
    const auto turning = static_cast<size_t>(rope.partial_rotary_factor * static_cast<double>(head_dim) / 2);
    for (size_t j = 0; j < inv_freq.size(); ++j) inv_freq[j] = j < turning ? inv_freq[j] / rope.factor : 0;
  } else {
    throw Error(ErrorCode::model_unsupported,
                {.where = "config.json: text_config rope_type",
                 .got = rope.rope_type,
                 .expected = "default, linear, llama3, yarn, longrope or proportional"});
  }
  return inv_freq;
}

std::vector<float> rope_long_frequencies(const RopeConfig& rope, int64_t head_dim) {
  if (rope.long_divisors.empty()) return {};
  return divided(wave_lengths(rope, head_dim), rope.long_divisors);
}

}  // namespace galago
