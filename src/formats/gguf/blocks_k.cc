// Blocks of 256 elements whose parts of 16 or 32 have a small integer scale each, beside a float16 for all.
#include "formats/gguf/blocks.h"

namespace galago::gguf_blocks {
namespace {

constexpr int kScaleBytes = 12;  // of Q4_K and Q5_K: eight scales and eight minima, 6 bits each

/// Scale and minimum of part j (0..7) of a Q4_K or Q5_K block. The first four of each take the low 6 bits of
/// bytes 0..3 and 4..7; the others have their low 4 bits in bytes 8..11 and borrow the two top bits there.
struct ScaleMin {
  float scale;
  float minimum;
};
ScaleMin scale_min(const std::byte* packed, int j) {
  const uint8_t a = byte_at(packed, j % 4);
  const uint8_t b = byte_at(packed, 4 + j % 4);
  if (j < 4) return {static_cast<float>(a & 0x3f), static_cast<float>(b & 0x3f)};
  const uint8_t both = byte_at(packed, 4 + j);
  return {static_cast<float>(low(both) | (a >> 2 & 0x30)), static_cast<float>(high(both) | (b >> 2 & 0x30))};
}

/// d, dmin, scales and minima, 128 bytes: each 32 bytes hold two parts of 32, low numbers first. Q5_K has 32
/// bytes of fifth bits before them: bit j of byte i belongs to element i of part j.
void q4_k_or_q5_k(const std::byte* in, bool fifth, float* out) {
  const float d = half_at(in);
  const float dmin = half_at(in + 2);
  const std::byte* bits = in + 4 + kScaleBytes;
  const std::byte* pairs = bits + (fifth ? 32 : 0);
  for (int j = 0; j < 8; ++j) {
    const ScaleMin part = scale_min(in + 4, j);
    const float scale = d * part.scale;
    const float minimum = dmin * part.minimum;
    for (int64_t i = 0; i < 32; ++i) {
      const uint8_t pair = byte_at(pairs, 32 * (j / 2) + i);
      int q = j % 2 ? high(pair) : low(pair);
      if (fifth) q |= (byte_at(bits, i) >> j & 1) << 4;
      out[32 * j + i] = scale * static_cast<float>(q) - minimum;
    }
  }
}

/// Element i of 256 with 2 bits: each half of 128 takes 32 bytes, its part k of 32 the bits 2 k and 2 k + 1.
int two_bits(const std::byte* packed, int64_t i) {
  return byte_at(packed, 32 * (i / 128) + i % 32) >> (2 * (i % 128 / 32)) & 3;
}

}  // namespace

/// 16 bytes of scales (low half) and minima (high half) for 16 elements each, 64 bytes of 2-bit numbers, d,
/// dmin: (d s) q - dmin m.
void q2_k(const std::byte* in, float* out) {
  const float d = half_at(in + 80);
  const float dmin = half_at(in + 82);
  for (int64_t i = 0; i < kSuper; ++i) {
    const uint8_t part = byte_at(in, i / 16);
    const float scale = d * static_cast<float>(low(part));
    const float minimum = dmin * static_cast<float>(high(part));
    out[i] = scale * static_cast<float>(two_bits(in + 16, i)) - minimum;
  }
}

/// 32 bytes of third bits (bit j of byte i: element i of part j), 64 bytes of 2-bit numbers, 16 scales of 6
/// bits, d: (d (s - 32)) q, where q is 4 less unless its third bit is set. Scale j has its low bits in half j
/// / 8 of byte j % 8 and its top two in bits 2 (j / 4) of byte 8 + j % 4.
void q3_k(const std::byte* in, float* out) {
  const std::byte* scales = in + 32 + 64;
  const float d = half_at(scales + 12);
  for (int64_t i = 0; i < kSuper; ++i) {
    const int64_t j = i / 16;
    const int lower = byte_at(scales, j % 8) >> (4 * (j / 8)) & 0x0f;
    const int upper = byte_at(scales, 8 + j % 4) >> (2 * (j / 4)) & 3;
    const float scale = d * static_cast<float>((lower | upper << 4) - 32);
    const bool third = (byte_at(in, i % 32) >> (i / 32) & 1) != 0;
    out[i] = scale * static_cast<float>(two_bits(in + 32, i) - (third ? 0 : 4));
  }
}

void q4_k(const std::byte* in, float* out) { q4_k_or_q5_k(in, false, out); }
void q5_k(const std::byte* in, float* out) { q4_k_or_q5_k(in, true, out); }

/// 128 bytes of low 4 bits, 64 of high 2 bits, 16 signed scales, d: d s (q - 32). Each half of 128 elements
/// takes 64 and 32 of those bytes: four parts of 32, part k with shift 4 (k / 2) and 2 k.
void q6_k(const std::byte* in, float* out) {
  const std::byte* scales = in + 128 + 64;
  const float d = half_at(scales + 16);
  for (int64_t i = 0; i < kSuper; ++i) {
    const int64_t half = i / 128;
    const int64_t part = i % 128 / 32;
    const int64_t at = i % 32;
    const int lower = byte_at(in, 64 * half + 32 * (part % 2) + at) >> (4 * (part / 2)) & 0x0f;
    const int upper = byte_at(in, 128 + 32 * half + at) >> (2 * part) & 3;
    const float scale = d * static_cast<float>(signed_at(scales, i / 16));
    out[i] = scale * static_cast<float>((lower | upper << 4) - 32);
  }
}

}  // namespace galago::gguf_blocks
