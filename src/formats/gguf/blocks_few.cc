// Blocks whose elements are one of a few levels: three (TQ), the sizes of a 4-bit float (FP4), or 16 uneven
// integers (IQ4).
#include <array>
#include <bit>

#include "formats/gguf/blocks.h"

namespace galago::gguf_blocks {
namespace {

/// IQ4's levels: closer where weights are many.
constexpr std::array<int8_t, 16> kUneven = {-127, -104, -83, -65, -49, -35, -22, -10,
                                            1,    13,   25,  38,  53,  69,  89,  113};
/// Twice the numbers of a float with 2 bits of exponent and 1 of fraction.
constexpr std::array<int8_t, 16> kTwiceE2m1 = {0, 1, 2, 3, 4, 6, 8, 12, 0, -1, -2, -3, -4, -6, -8, -12};

/// 2 * `half` levels by the pairs of `half` bytes, the first half of them in the low ones: d level.
void levels(float d, const std::array<int8_t, 16>& table, const std::byte* pairs, int64_t half, float* out) {
  for (int64_t i = 0; i < half; ++i) {
    out[i] = d * static_cast<float>(table[static_cast<size_t>(low(byte_at(pairs, i)))]);
    out[i + half] = d * static_cast<float>(table[static_cast<size_t>(high(byte_at(pairs, i)))]);
  }
}

/// Half of 2^(e - 127): the levels are twice as large.
float half_power(uint8_t e) {
  return std::bit_cast<float>(e < 2 ? uint32_t{0x00200000} << e : static_cast<uint32_t>(e - 1) << 23);
}

/// Half of an unsigned float with 4 bits of exponent and 3 of fraction; 0 for what stands for no number.
float half_e4m3(uint8_t bits) {
  if (bits == 0 || bits == 0x7f) return 0;
  const int exponent = bits >> 3 & 0x0f;
  const auto fraction = static_cast<float>(bits & 7);
  if (exponent == 0) return fraction * 0x1p-9F * 0.5F;
  return (1.0F + fraction / 8.0F) * std::bit_cast<float>(static_cast<uint32_t>(exponent - 7 + 127) << 23) *
         0.5F;
}

}  // namespace

/// 48 + 4 bytes, each a number of five (four) digits in base 3 as a fraction of 256, then d. Digit k of byte
/// i is found by 3^k: the runs of 32, 16 and 4 bytes give their first digits, then their second, and so on: d
/// (digit - 1).
void tq1_0(const std::byte* in, float* out) {
  struct Run {
    int64_t begin, bytes, digits;
  };
  constexpr std::array<Run, 3> kRuns = {{{0, 32, 5}, {32, 16, 5}, {48, 4, 4}}};
  const float d = half_at(in + 52);
  for (const Run& run : kRuns) {
    int power = 1;
    for (int64_t k = 0; k < run.digits; ++k, power *= 3)
      for (int64_t i = 0; i < run.bytes; ++i) {
        const auto rest = static_cast<uint8_t>(byte_at(in, run.begin + i) * power);
        *out++ = d * static_cast<float>((rest * 3 >> 8) - 1);
      }
  }
}

/// 64 bytes of 2-bit numbers, part k of each half of 128 in the bits 2 k, then d: d (q - 1).
void tq2_0(const std::byte* in, float* out) {
  const float d = half_at(in + 64);
  for (int64_t i = 0; i < kSuper; ++i) {
    const int q = byte_at(in, 32 * (i / 128) + i % 32) >> (2 * (i % 128 / 32)) & 3;
    out[i] = d * static_cast<float>(q - 1);
  }
}

/// An exponent, 16 bytes of pairs.
void mxfp4(const std::byte* in, float* out) {
  levels(half_power(byte_at(in, 0)), kTwiceE2m1, in + 1, 16, out);
}

/// Four scales, then 8 bytes of pairs for each.
void nvfp4(const std::byte* in, float* out) {
  for (int64_t j = 0; j < 4; ++j)
    levels(half_e4m3(byte_at(in, j)), kTwiceE2m1, in + 4 + 8 * j, 8, out + 16 * j);
}

/// d, 16 bytes of pairs.
void iq4_nl(const std::byte* in, float* out) { levels(half_at(in), kUneven, in + 2, 16, out); }

/// d, top bits of 8 scales, their low 4 bits, and for each scale 16 bytes of pairs: d (s - 32).
void iq4_xs(const std::byte* in, float* out) {
  const float d = half_at(in);
  const uint16_t top = u16_at(in + 2);
  for (int64_t j = 0; j < 8; ++j) {
    const int scale = (nibble_at(in + 4, j) | (top >> (2 * j) & 3) << 4) - 32;
    levels(d * static_cast<float>(scale), kUneven, in + 8 + 16 * j, 16, out + 32 * j);
  }
}

}  // namespace galago::gguf_blocks
