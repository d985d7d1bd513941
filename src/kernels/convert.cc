// Weights in another format: what --dtype and galago quantize do to every matrix.
// In: a matrix in any format. Out: the same matrix in the wanted one, as planes or in panels, written by all
// threads; the same bytes on every machine. docs/quantisation.md works an example by hand.
#include <algorithm>
#include <array>
#include <cmath>
#include <cstring>
#include <string>
#include <vector>

#include "core/half.h"
#include "galago/error.h"
#include "kernels/cpu/parallel.h"
#include "kernels/cpu/quant.h"
#include "kernels/kernels.h"

namespace galago::kernels {
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

void groups_of_row(const float* row, WeightFormat format, int64_t group, int64_t count,
                   const WeightPlanes& to) {
  constexpr int64_t kHalf = kWeightGroup / 2;
  for (int64_t g = group; g < group + count; ++g, row += kWeightGroup) {
    Group weights;
    std::copy_n(row, kWeightGroup, weights.begin());
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

void floats_of_row(const float* row, WeightFormat format, int64_t count, std::byte* to) {
  if (format == WeightFormat::f32) {
    std::memcpy(to, row, static_cast<size_t>(count) * sizeof(float));
    return;
  }
  for (int64_t i = 0; i < count; ++i)
    store_half(to, i, format == WeightFormat::f16 ? galago::to_f16(row[i]) : galago::to_bf16(row[i]));
}

/// Up to kPanelRows rows of planes as one panel, whose memory is zero.
void pack_panel(const WeightView& rows, std::byte* panel) {
  const int64_t groups = rows.groups(), bytes = value_bytes(rows.format, kWeightGroup);
  const bool q8 = rows.format == WeightFormat::q8;
  for (int64_t r = 0; r < rows.rows; ++r)
    for (int64_t g = 0; g < groups; ++g) {
      const PanelGroup place = panel_group(rows.format, g);
      const int64_t half = 2 * (r * groups + g);
      std::memcpy(panel + place.scales + 2 * r, rows.scales + half, 2);
      if (!q8) std::memcpy(panel + place.minimums + 2 * r, rows.minimums + half, 2);
      const std::byte* from = rows.row(r) + g * bytes;
      for (int64_t line = 0; line < bytes / 4; ++line, from += 4) {
        uint32_t four = 0;
        std::memcpy(&four, from, sizeof four);
        if (q8) four ^= 0x80808080U;  // q + 128
        std::memcpy(panel + place.values + line * kPanelLine + 4 * r, &four, sizeof four);
      }
    }
}

void copy_planes(Pool& pool, const WeightView& from, const WeightPlanes& to) {
  const int64_t values = value_bytes(from.format, from.cols), scales = 2 * from.groups();
  cpu::parallel_for(pool, from.rows, values, [&](int64_t begin, int64_t end) {
    const auto copy = [&](const std::byte* source, std::byte* target, int64_t row) {
      if (source)
        std::memcpy(target + begin * row, source + begin * row, static_cast<size_t>((end - begin) * row));
    };
    copy(from.values, to.values, values);
    copy(from.scales, to.scales, scales);
    copy(from.minimums, to.minimums, scales);
  });
}

/// Rows [begin, end) in another format.
void convert_rows(const WeightView& from, WeightFormat format, int64_t begin, int64_t end,
                  const WeightPlanes& to) {
  float* const row = cpu::thread_scratch<struct ConvertedRow>(from.cols);
  for (int64_t i = begin; i < end; ++i) {
    cpu::dequantise(from, i, 0, from.cols, row);
    if (is_quantised(format))
      groups_of_row(row, format, i * from.groups(), from.groups(), to);
    else
      floats_of_row(row, format, from.cols, to.values + i * value_bytes(format, from.cols));
  }
}

void check_groups(const char* where, const WeightView& from) {
  if (from.cols % kWeightGroup != 0)
    throw Error(ErrorCode::internal, {.where = where,
                                      .got = "rows of " + std::to_string(from.cols),
                                      .expected = "a multiple of " + std::to_string(kWeightGroup)});
}

constexpr int64_t kConvertCost = 32;  // of a weight, in elementary operations
constexpr int64_t kPackCost = 4;

}  // namespace

void Device::convert_weights(const WeightView& from, WeightFormat format, const WeightPlanes& to) const {
  if (is_quantised(format)) check_groups("kernels::convert_weights", from);
  if (format == from.format && !from.in_panels()) return copy_planes(pool(), from, to);
  cpu::parallel_for(pool(), from.rows, from.cols * kConvertCost,
                    [&](int64_t begin, int64_t end) { convert_rows(from, format, begin, end, to); });
}

void Device::pack_weights(const WeightView& from, WeightFormat format, std::byte* to) const {
  check_groups("kernels::pack_weights", from);
  const bool as_it_is = from.format == format && !from.in_panels();
  const int64_t panel = panel_bytes(format, from.cols);
  const int64_t values = kPanelRows * value_bytes(format, from.cols), plane = 2 * kPanelRows * from.groups();
  const auto pack = [&](int64_t begin, int64_t end) {
    std::vector<std::byte> memory(as_it_is ? 0 : static_cast<size_t>(values + 2 * plane));
    for (int64_t p = begin; p < end; ++p) {
      const int64_t first = p * kPanelRows, count = std::min(kPanelRows, from.rows - first);
      WeightView rows = from.slice_rows(first, count);
      if (!as_it_is) {
        const WeightPlanes converted{memory.data(), memory.data() + values, memory.data() + values + plane};
        convert_rows(rows, format, 0, count, converted);
        rows = WeightView(format, count, from.cols);
        rows.values = converted.values;
        rows.scales = converted.scales;
        rows.minimums = converted.minimums;
      }
      std::fill_n(to + p * panel, panel, std::byte{0});
      pack_panel(rows, to + p * panel);
    }
  };
  cpu::parallel_for(pool(), (from.rows + kPanelRows - 1) / kPanelRows,
                    kPanelRows * from.cols * (as_it_is ? kPackCost : kConvertCost), pack);
}

}  // namespace galago::kernels
