// How a row of floats becomes whole numbers of 8 bits: what the twin and the fast kernels share.
#pragma once

#include <cstdint>
#include <limits>

namespace galago::kernels {

/// A row's numbers are round(x * inverse), ties to even, from -127 to 127, and stand for that times `factor`.
struct Int8Scale {
  float inverse = 0;
  float factor = 0;
};

/// Of a row whose largest size is `most`. A row of next to nothing counts for nothing, and one that is not
/// finite is NaN.
inline Int8Scale int8_scale(float most, bool finite) {
  constexpr float kLeast = 0x1p-100f;  // below, 127 / most may have no bits
  if (!finite) return {0, std::numeric_limits<float>::quiet_NaN()};
  if (most <= kLeast) return {};
  return {127 / most, most / 127};
}

/// Columns up to which sums of such products fit 32 bits; longer rows are multiplied as floats.
inline constexpr int64_t kMostInt8Columns = 131'072;
static_assert(kMostInt8Columns * 127 * 127 <= std::numeric_limits<int32_t>::max());

}  // namespace galago::kernels
