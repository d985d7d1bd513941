// Blocks whose elements are drawn from a codebook, 8 or 4 at a time. IQ2 and IQ3 keep sizes in the codebook
// and signs beside it; IQ1's codebook has -1, 0 and 1, all moved by an eighth.
#include <array>
#include <bit>

#include "formats/gguf/blocks.h"
#include "formats/gguf/grids.h"

namespace galago::gguf_blocks {
namespace {

constexpr std::array<float, 4> kIq2Sizes = {8, 25, 43, 0};  // the codebooks never say 3
constexpr std::array<float, 8> kIq3XxsSizes = {4, 12, 20, 28, 36, 44, 52, 62};
constexpr std::array<float, 8> kIq3SSizes = {1, 3, 5, 7, 9, 11, 13, 15};
constexpr float kShift = 0.125F;

/// The signs of 8 elements by 7 bits: an even number of them is negative.
uint8_t even_signs(uint32_t index) {
  const uint32_t seven = index & 0x7f;
  return static_cast<uint8_t>(seven | (static_cast<uint32_t>(std::popcount(seven)) & 1) << 7);
}

float sign_of(uint8_t signs, int i) { return signs >> i & 1 ? -1.0F : 1.0F; }

/// 8 elements of one entry: db size sign.
void eight(float db, uint16_t entry, uint8_t signs, float* out) {
  for (int i = 0; i < 8; ++i)
    out[i] = db * kIq2Sizes[static_cast<size_t>(entry >> (2 * i) & 3)] * sign_of(signs, i);
}

/// 8 elements of two entries.
void twice_four(float db, std::array<uint16_t, 2> entries, uint8_t signs, const std::array<float, 8>& sizes,
                float* out) {
  for (int i = 0; i < 8; ++i) {
    const int code = entries[static_cast<size_t>(i / 4)] >> (3 * (i % 4)) & 7;
    out[i] = db * sizes[static_cast<size_t>(code)] * sign_of(signs, i);
  }
}

/// 8 elements of an entry of IQ1: dl (level + shift).
void shifted(float dl, uint16_t entry, bool down, float* out) {
  for (int i = 0; i < 8; ++i)
    out[i] = dl * (static_cast<float>((entry >> (2 * i) & 3) - 1) + (down ? -kShift : kShift));
}

/// IQ2's scale of 4 bits.
float scale_of(float d, uint32_t four_bits) { return d * (0.5F + static_cast<float>(four_bits)) * 0.25F; }

}  // namespace

/// d, then for each 32 elements 4 bytes of indices and 4 bytes of 7-bit signs under a 4-bit scale.
void iq2_xxs(const std::byte* in, float* out) {
  const float d = half_at(in);
  for (int64_t e = 0; e < kSuper / 8; ++e) {
    const std::byte* part = in + 2 + 8 * (e / 4);
    const uint32_t bits = u32_at(part + 4);
    eight(scale_of(d, bits >> 28), gguf_grids::kIq2Xxs[byte_at(part, e % 4)],
          even_signs(bits >> (7 * (e % 4))), out + 8 * e);
  }
}

/// d, 32 times 9 bits of index and 7 of signs, 16 scales of 4 bits.
void iq2_xs(const std::byte* in, float* out) {
  const float d = half_at(in);
  for (int64_t e = 0; e < kSuper / 8; ++e) {
    const uint16_t bits = u16_at(in + 2 + 2 * e);
    const float db = scale_of(d, static_cast<uint32_t>(nibble_at(in + 66, e / 2)));
    eight(db, gguf_grids::kIq2Xs[bits & 511], even_signs(bits >> 9), out + 8 * e);
  }
}

/// d, 32 indices, 32 bytes of signs, top 2 bits of the indices, 16 scales of 4 bits.
void iq2_s(const std::byte* in, float* out) {
  const float d = half_at(in);
  for (int64_t e = 0; e < kSuper / 8; ++e) {
    const int top = byte_at(in + 66, e / 4) >> (2 * (e % 4)) & 3;
    const float db = scale_of(d, static_cast<uint32_t>(nibble_at(in + 74, e / 2)));
    eight(db, gguf_grids::kIq2S[static_cast<size_t>(byte_at(in + 2, e) | top << 8)], byte_at(in + 34, e),
          out + 8 * e);
  }
}

/// d, 64 indices, then for each 32 elements 4 bytes as IQ2_XXS has them.
void iq3_xxs(const std::byte* in, float* out) {
  const float d = half_at(in);
  for (int64_t e = 0; e < kSuper / 8; ++e) {
    const uint32_t bits = u32_at(in + 66 + 4 * (e / 4));
    const float db = d * (0.5F + static_cast<float>(bits >> 28)) * 0.5F;
    twice_four(db,
               {gguf_grids::kIq3Xxs[byte_at(in + 2, 2 * e)], gguf_grids::kIq3Xxs[byte_at(in + 2, 2 * e + 1)]},
               even_signs(bits >> (7 * (e % 4))), kIq3XxsSizes, out + 8 * e);
  }
}

/// d, 64 indices, their ninth bits, 32 bytes of signs, 8 scales of 4 bits: d (2 s + 1).
void iq3_s(const std::byte* in, float* out) {
  const float d = half_at(in);
  const auto entry = [in](int64_t i) {
    const int top = byte_at(in + 66, i / 8) >> (i % 8) & 1;
    return gguf_grids::kIq3S[static_cast<size_t>(byte_at(in + 2, i) | top << 8)];
  };
  for (int64_t e = 0; e < kSuper / 8; ++e) {
    const float db = d * static_cast<float>(1 + 2 * nibble_at(in + 106, e / 4));
    twice_four(db, {entry(2 * e), entry(2 * e + 1)}, byte_at(in + 74, e), kIq3SSizes, out + 8 * e);
  }
}

/// d, 32 indices, and for each 32 elements 16 bits: four times 3 top bits, a 3-bit scale, the shift's sign.
void iq1_s(const std::byte* in, float* out) {
  const float d = half_at(in);
  for (int64_t e = 0; e < kSuper / 8; ++e) {
    const uint16_t bits = u16_at(in + 34 + 2 * (e / 4));
    const int top = bits >> (3 * (e % 4)) & 7;
    const float dl = d * static_cast<float>(2 * (bits >> 12 & 7) + 1);
    shifted(dl, gguf_grids::kIq1[static_cast<size_t>(byte_at(in, 2 + e) | top << 8)], (bits & 0x8000) != 0,
            out + 8 * e);
  }
}

/// 32 indices, for each 3 top bits and the shift's sign, and 16 scales of 3 bits, four in 16 bits whose own
/// top four are a quarter of d.
void iq1_m(const std::byte* in, float* out) {
  const std::byte* scales = in + 48;
  uint16_t bits = 0;
  for (int k = 0; k < 4; ++k) bits = static_cast<uint16_t>(bits | (u16_at(scales + 2 * k) >> 12) << (4 * k));
  const float d = from_f16(bits);
  for (int64_t e = 0; e < kSuper / 8; ++e) {
    const int64_t part = e / 2;
    const int scale = u16_at(scales + 2 * (part / 4)) >> (3 * (part % 4)) & 7;
    const int top = nibble_at(in + 32, e);
    const float dl = d * static_cast<float>(2 * scale + 1);
    shifted(dl, gguf_grids::kIq1[static_cast<size_t>(byte_at(in, e) | (top & 7) << 8)], (top & 8) != 0,
            out + 8 * e);
  }
}

}  // namespace galago::gguf_blocks
