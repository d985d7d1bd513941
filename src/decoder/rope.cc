// float32 where the reference uses it, so that angles at large positions agree.
#include "decoder/rope.h"

#include <cmath>
#include <numbers>

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

}  // namespace

std::vector<float> rope_inverse_frequencies(const RopeConfig& rope, int64_t head_dim) {
  std::vector<float> inv_freq(static_cast<size_t>(head_dim / 2));
  for (size_t j = 0; j < inv_freq.size(); ++j) {
    const float exponent = static_cast<float>(2 * j) / static_cast<float>(head_dim);
    inv_freq[j] = 1.0F / std::pow(rope.rope_theta, exponent);
  }
  if (rope.rope_type == "default") return inv_freq;
  if (rope.rope_type == "linear") {
    for (float& f : inv_freq) f /= rope.factor;
    return inv_freq;
  }
  if (rope.rope_type == "llama3") {
    for (float& f : inv_freq) f = llama3_frequency(f, rope);
    return inv_freq;
  }
  if (rope.rope_type == "longrope" && rope.divisors.size() == inv_freq.size()) {
    for (size_t j = 0; j < inv_freq.size(); ++j) inv_freq[j] /= rope.divisors[j];
    return inv_freq;
  }
  throw Error(ErrorCode::model_unsupported, {.where = "config.json: text_config rope_type",
                                             .got = rope.rope_type,
                                             .expected = "default, linear, llama3 or longrope"});
}

}  // namespace galago
