// Blocks of 32 elements with one scale. Integers of 4, 5 or 8 bits are put together, become a float, and meet
// the block's scale.
#include "formats/gguf/blocks.h"

namespace galago::gguf_blocks {
namespace {

/// Element i of a block whose fifth bits lie in 4 bytes before the 16 bytes of pairs.
int five_bits(const std::byte* fifth, int64_t i) {
  const uint8_t pair = byte_at(fifth, 4 + i % (kSmall / 2));
  const int bit = byte_at(fifth, i / 8) >> (i % 8) & 1;
  return (i < kSmall / 2 ? low(pair) : high(pair)) | bit << 4;
}

}  // namespace

/// d, 32 signed bytes: d q.
void q8_0(const std::byte* in, float* out) {
  const float d = half_at(in);
  for (int64_t i = 0; i < kSmall; ++i) out[i] = static_cast<float>(signed_at(in, 2 + i)) * d;
}

/// d, 16 bytes of two 4-bit numbers, the first half of the block in the low ones: d (q - 8).
void q4_0(const std::byte* in, float* out) {
  const float d = half_at(in);
  for (int64_t i = 0; i < kSmall / 2; ++i) {
    const uint8_t pair = byte_at(in, 2 + i);
    out[i] = d * static_cast<float>(low(pair) - 8);
    out[i + kSmall / 2] = d * static_cast<float>(high(pair) - 8);
  }
}

/// d, m, 16 bytes as Q4_0: d q + m.
void q4_1(const std::byte* in, float* out) {
  const float d = half_at(in);
  const float m = half_at(in + 2);
  for (int64_t i = 0; i < kSmall / 2; ++i) {
    const uint8_t pair = byte_at(in, 4 + i);
    out[i] = d * static_cast<float>(low(pair)) + m;
    out[i + kSmall / 2] = d * static_cast<float>(high(pair)) + m;
  }
}

/// d, fifth bits, pairs: d (q - 16).
void q5_0(const std::byte* in, float* out) {
  const float d = half_at(in);
  for (int64_t i = 0; i < kSmall; ++i) out[i] = d * static_cast<float>(five_bits(in + 2, i) - 16);
}

/// d, m, fifth bits, pairs: d q + m.
void q5_1(const std::byte* in, float* out) {
  const float d = half_at(in);
  const float m = half_at(in + 2);
  for (int64_t i = 0; i < kSmall; ++i) out[i] = d * static_cast<float>(five_bits(in + 4, i)) + m;
}

}  // namespace galago::gguf_blocks
