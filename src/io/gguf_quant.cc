// One function for each block layout. Bytes come first, floats last: integers of 4, 5, 6 or 8 bits are put
// together, become a float, and meet their block's scale in the order of the reference, because float
// products and sums round.
#include "io/gguf_quant.h"

#include <array>
#include <cstring>

#include "core/half.h"

namespace galago {
namespace {

constexpr int64_t kSmall = 32;   // elements of a block of the older types
constexpr int64_t kSuper = 256;  // elements of a block of the K types
constexpr int kScaleBytes = 12;  // of Q4_K and Q5_K: eight scales and eight minima, 6 bits each

struct TypeRow {
  GgmlType type;
  GgmlBlock block;
};

constexpr std::array<TypeRow, 11> kTypes = {{{GgmlType::f32, {"F32", 1, 4}},
                                             {GgmlType::f16, {"F16", 1, 2}},
                                             {GgmlType::q4_0, {"Q4_0", kSmall, 2 + 16}},
                                             {GgmlType::q4_1, {"Q4_1", kSmall, 4 + 16}},
                                             {GgmlType::q5_0, {"Q5_0", kSmall, 2 + 4 + 16}},
                                             {GgmlType::q5_1, {"Q5_1", kSmall, 4 + 4 + 16}},
                                             {GgmlType::q8_0, {"Q8_0", kSmall, 2 + 32}},
                                             {GgmlType::q4_k, {"Q4_K", kSuper, 4 + kScaleBytes + 128}},
                                             {GgmlType::q5_k, {"Q5_K", kSuper, 4 + kScaleBytes + 32 + 128}},
                                             {GgmlType::q6_k, {"Q6_K", kSuper, 128 + 64 + 16 + 2}},
                                             {GgmlType::bf16, {"BF16", 1, 2}}}};

// By number; null where ggml has no type (any more).
constexpr std::array<const char*, 43> kNames = {
    "F32",   "F16",    "Q4_0",  "Q4_1",  nullptr, nullptr,   "Q5_0",   "Q5_1",    "Q8_0",  "Q8_1",   "Q2_K",
    "Q3_K",  "Q4_K",   "Q5_K",  "Q6_K",  "Q8_K",  "IQ2_XXS", "IQ2_XS", "IQ3_XXS", "IQ1_S", "IQ4_NL", "IQ3_S",
    "IQ2_S", "IQ4_XS", "I8",    "I16",   "I32",   "I64",     "F64",    "IQ1_M",   "BF16",  nullptr,  nullptr,
    nullptr, "TQ1_0",  "TQ2_0", nullptr, nullptr, nullptr,   "MXFP4",  "NVFP4",   "Q1_0",  "Q2_0"};

uint8_t byte_at(const std::byte* p, int64_t i) { return std::to_integer<uint8_t>(p[i]); }
int8_t signed_at(const std::byte* p, int64_t i) { return static_cast<int8_t>(byte_at(p, i)); }
float half_at(const std::byte* p) {
  return from_f16(static_cast<uint16_t>(byte_at(p, 0) | byte_at(p, 1) << 8));
}
int low(uint8_t byte) { return byte & 0x0f; }
int high(uint8_t byte) { return byte >> 4; }

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

/// Element i of a block whose fifth bits lie in 4 bytes before the 16 bytes of pairs.
int five_bits(const std::byte* fifth, int64_t i) {
  const uint8_t pair = byte_at(fifth, 4 + i % (kSmall / 2));
  const int bit = byte_at(fifth, i / 8) >> (i % 8) & 1;
  return (i < kSmall / 2 ? low(pair) : high(pair)) | bit << 4;
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

void block(GgmlType type, const std::byte* in, float* out) {
  switch (type) {
    case GgmlType::q4_0:
      return q4_0(in, out);
    case GgmlType::q4_1:
      return q4_1(in, out);
    case GgmlType::q5_0:
      return q5_0(in, out);
    case GgmlType::q5_1:
      return q5_1(in, out);
    case GgmlType::q8_0:
      return q8_0(in, out);
    case GgmlType::q4_k:
      return q4_k_or_q5_k(in, false, out);
    case GgmlType::q5_k:
      return q4_k_or_q5_k(in, true, out);
    case GgmlType::q6_k:
      return q6_k(in, out);
    case GgmlType::f32:
    case GgmlType::f16:
    case GgmlType::bf16:
      break;  // plain types: dequantise() reads them as a whole
  }
}

}  // namespace

const char* ggml_type_name(uint32_t number) noexcept {
  return number < kNames.size() ? kNames[number] : nullptr;
}

std::optional<GgmlType> ggml_type(uint32_t number) noexcept {
  for (const TypeRow& row : kTypes)
    if (static_cast<uint32_t>(row.type) == number) return row.type;
  return std::nullopt;
}

const GgmlBlock& ggml_block(GgmlType type) noexcept {
  for (const TypeRow& row : kTypes)
    if (row.type == type) return row.block;
  return kTypes[0].block;
}

std::optional<DType> plain_dtype(GgmlType type) noexcept {
  if (type == GgmlType::f32) return DType::f32;
  if (type == GgmlType::f16) return DType::f16;
  if (type == GgmlType::bf16) return DType::bf16;
  return std::nullopt;
}

void dequantise(GgmlType type, const std::byte* data, int64_t count, float* out) {
  if (const auto dtype = plain_dtype(type)) {
    to_floats({.dtype = *dtype, .shape = {count}, .data = data}, out);
    return;
  }
  const GgmlBlock& layout = ggml_block(type);
  for (int64_t i = 0; i * layout.elements < count; ++i)
    block(type, data + i * layout.bytes, out + i * layout.elements);
}

std::optional<WeightFormat> same_format(GgmlType type) noexcept {
  if (type == GgmlType::q8_0) return WeightFormat::q8;
  if (type == GgmlType::q4_0 || type == GgmlType::q4_1) return WeightFormat::q4;
  return std::nullopt;
}

std::vector<std::byte> planes_of(GgmlType type, const std::byte* blocks, int64_t rows, int64_t cols) {
  constexpr int64_t kHalf = 2;  // bytes of a float16
  const int64_t groups = rows * (cols / kWeightGroup);
  const int64_t block_bytes = ggml_block(type).bytes;
  const int64_t pairs = value_bytes(*same_format(type), kWeightGroup);
  const bool minimums = type != GgmlType::q8_0;
  std::vector<std::byte> planes(static_cast<size_t>(groups * (pairs + (minimums ? 2 : 1) * kHalf)));
  std::byte* const scale = planes.data() + groups * pairs;
  std::byte* const minimum = scale + groups * kHalf;
  for (int64_t g = 0; g < groups; ++g) {
    const std::byte* block = blocks + g * block_bytes;
    std::memcpy(planes.data() + g * pairs, block + block_bytes - pairs, static_cast<size_t>(pairs));
    std::memcpy(scale + g * kHalf, block, kHalf);
    if (type == GgmlType::q4_1) std::memcpy(minimum + g * kHalf, block + kHalf, kHalf);
    if (type != GgmlType::q4_0) continue;
    const uint16_t least = to_f16(-8 * half_at(block));
    std::memcpy(minimum + g * kHalf, &least, kHalf);
  }
  return planes;
}

}  // namespace galago
