// The two 16-bit float formats as binary32 and back. In: bits. Out: the same number; widening is exact,
// narrowing rounds to nearest, ties to even.
// Reference: IEEE 754 binary16; bfloat16 is the upper half of a binary32.
#pragma once

#include <bit>
#include <cstdint>

namespace galago {

inline float from_bf16(uint16_t bits) { return std::bit_cast<float>(static_cast<uint32_t>(bits) << 16); }

/// A NaN stays one.
inline uint16_t to_bf16(float value) {
  const auto bits = std::bit_cast<uint32_t>(value);
  if ((bits & 0x7fffffff) > 0x7f800000) return static_cast<uint16_t>(bits >> 16 | 0x40);
  return static_cast<uint16_t>((bits + 0x7fff + (bits >> 16 & 1)) >> 16);
}

/// Subnormals are exact because multiples of 2^-24 fit a float.
inline float from_f16(uint16_t bits) {
  const uint32_t sign = static_cast<uint32_t>(bits & 0x8000) << 16;
  const uint32_t exponent = (bits >> 10) & 0x1f;
  const uint32_t mantissa = bits & 0x3ff;
  if (exponent == 0) {
    const float value = static_cast<float>(mantissa) * 0x1p-24f;
    return sign ? -value : value;
  }
  if (exponent == 31) return std::bit_cast<float>(sign | 0x7f800000u | (mantissa << 13));
  return std::bit_cast<float>(sign | ((exponent + 112) << 23) | (mantissa << 13));
}

/// Numbers beyond the largest float16 become +-65504, not infinity; NaN stays NaN.
inline uint16_t to_f16(float value) {
  const auto bits = std::bit_cast<uint32_t>(value);
  const auto sign = static_cast<uint16_t>(bits >> 16 & 0x8000);
  const uint32_t size = bits & 0x7fffffff;
  const auto with_sign = [sign](uint32_t half) { return static_cast<uint16_t>(sign | half); };
  if (size > 0x7f800000) return with_sign(0x7e00);
  if (size > 0x477fe000) return with_sign(0x7bff);  // 65504
  if (size < 0x38800000)  // below 2^-14: one unit of a float at 0.5 is 2^-24, a subnormal's unit
    return with_sign(std::bit_cast<uint32_t>(std::bit_cast<float>(size) + 0.5f) - 0x3f000000);
  return with_sign((size + 0xfff + (size >> 13 & 1) - (112u << 23)) >> 13);
}

}  // namespace galago
