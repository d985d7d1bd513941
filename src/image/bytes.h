// Arithmetic of samples of 8 bits, as Pillow does it. Reference: Pillow 12.3 libImaging/ImagingUtils.h
// (MULDIV255, CLIP8).
#pragma once

#include <algorithm>
#include <cstdint>

namespace galago {

/// The nearest value from 0 to 255.
inline uint8_t clip_byte(int32_t value) { return static_cast<uint8_t>(std::clamp(value, 0, 255)); }

/// round(a * b / 255) for bytes.
inline int32_t multiply_bytes(int32_t a, int32_t b) {
  const int32_t product = a * b + 128;
  return ((product >> 8) + product) >> 8;
}

}  // namespace galago
