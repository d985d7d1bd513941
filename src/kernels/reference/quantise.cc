// The twin of quantising: what a group of 32 floats becomes, number by number. Here sums are floats, in the
// order of the columns: they decide which levels a group of q4 gets, and fast kernels give the same bytes.
#include <algorithm>
#include <array>
#include <cmath>
#include <cstring>
#include <utility>

#include "core/half.h"
#include "kernels/reference/reference.h"

namespace galago::kernels::reference {
namespace {

using Group = std::array<float, kWeightGroup>;
using Levels = std::array<uint8_t, kWeightGroup>;

constexpr uint16_t kNaN = 0x7e00;
constexpr int kMostFits = 4;  // of a scale and a minimum to a group

bool is_finite(const Group& group) {
  float strange = 0;  // x - x is 0, or NaN
  for (const float w : group) strange += w - w;
  return strange == 0;
}

/// int8 with scale = largest / 127.
uint16_t group_as_q8(const Group& group, std::byte* values) {
  float largest = 0;
  for (const float w : group) largest = std::max(largest, std::abs(w));
  const bool finite = is_finite(group);
  const uint16_t bits = finite ? galago::to_f16(largest / 127) : kNaN;
  const float scale = from_f16(bits);
  const float inverse = finite && scale > 0 ? 1 / scale : 0;
  for (size_t i = 0; i < group.size(); ++i) {
    const float steps = inverse > 0 ? std::clamp(group[i] * inverse, -127.0f, 127.0f) : 0;
    values[i] = static_cast<std::byte>(static_cast<int8_t>(steps + std::copysign(0.5f, steps)));
  }
  return bits;
}

/// One choice of scale and minimum for a group, with the levels nearest to its weights.
struct Fit {
  uint16_t scale = 0;
  uint16_t minimum = 0;
  Levels levels{};
  float error = 0;  ///< sum of squares
};

Fit fit_of(const Group& group, float scale, float minimum) {
  Fit fit{.scale = galago::to_f16(scale), .minimum = galago::to_f16(minimum)};
  const float step = from_f16(fit.scale), offset = from_f16(fit.minimum);
  const float inverse = step > 0 ? 1 / step : 0;
  for (size_t i = 0; i < group.size(); ++i) {
    const float level = inverse > 0 ? std::clamp((group[i] - offset) * inverse, 0.0f, 15.0f) : 0;
    fit.levels[i] = static_cast<uint8_t>(level + 0.5f);
    const float off = group[i] - (step * static_cast<float>(fit.levels[i]) + offset);
    fit.error += off * off;
  }
  return fit;
}

/// The line w = scale * level + minimum with the least squares, or a scale of 0 where all levels are one.
std::pair<float, float> line_through(const Group& group, const Levels& levels) {
  constexpr auto kCount = static_cast<float>(kWeightGroup);
  float sum_q = 0, sum_w = 0, squares = 0, products = 0;
  for (size_t i = 0; i < group.size(); ++i) {
    const auto q = static_cast<float>(levels[i]);
    sum_q += q;
    sum_w += group[i];
    squares += q * q;
    products += q * group[i];
  }
  const float spread = kCount * squares - sum_q * sum_q;
  const float scale = spread > 0 ? (kCount * products - sum_q * sum_w) / spread : 0;
  return {scale, (sum_w - scale * sum_q) / kCount};
}

/// 16 levels from the smallest weight to the largest; then scale and minimum are fitted to the levels, and
/// the levels to them, as long as that lessens the error.
Fit group_as_q4(const Group& group) {
  if (!is_finite(group)) return {.scale = kNaN, .minimum = kNaN};
  const auto [least, most] = std::minmax_element(group.begin(), group.end());
  Fit best = fit_of(group, (*most - *least) / 15, *least);
  for (int i = 0; i < kMostFits && best.error > 0; ++i) {
    const auto [scale, minimum] = line_through(group, best.levels);
    if (!(scale > 0)) break;
    const Fit next = fit_of(group, scale, minimum);
    if (!(next.error < best.error)) break;
    best = next;
  }
  return best;
}

void store_half(std::byte* plane, int64_t i, uint16_t bits) {
  std::memcpy(plane + 2 * i, &bits, sizeof bits);
}

}  // namespace

void quantise_row(std::span<const float> row, WeightFormat format, const WeightPlanes& to) {
  constexpr int64_t kHalf = kWeightGroup / 2;
  for (int64_t g = 0; g < std::ssize(row) / kWeightGroup; ++g) {
    Group weights;
    std::copy_n(row.begin() + g * kWeightGroup, kWeightGroup, weights.begin());
    if (format == WeightFormat::q8) {
      store_half(to.scales, g, group_as_q8(weights, to.values + g * kWeightGroup));
      continue;
    }
    const Fit fit = group_as_q4(weights);
    store_half(to.scales, g, fit.scale);
    store_half(to.minimums, g, fit.minimum);
    for (size_t i = 0; i < kHalf; ++i)
      to.values[g * kHalf + static_cast<int64_t>(i)] =
          static_cast<std::byte>(fit.levels[i] | fit.levels[i + kHalf] << 4);
  }
}

}  // namespace galago::kernels::reference
