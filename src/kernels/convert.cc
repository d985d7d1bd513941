// Weights in another format or another order: what --dtype, galago quantize and a GGUF file's blocks need.
// In: a matrix in any format. Out: the same matrix in the wanted one, as planes or in panels, written by all
// threads, each number read once; the same bytes on every machine. docs/quantisation.md works an example by
// hand.
#include <algorithm>
#include <cstring>
#include <string>

#include "core/half.h"
#include "galago/error.h"
#include "kernels/cpu/parallel.h"
#include "kernels/cpu/quant.h"
#include "kernels/kernels.h"

namespace galago::kernels {
namespace {

void store_half(std::byte* place, uint16_t bits) { std::memcpy(place, &bits, sizeof bits); }

void floats_of_row(const float* row, WeightFormat format, int64_t count, std::byte* to) {
  if (format == WeightFormat::f32) {
    std::memcpy(to, row, static_cast<size_t>(count) * sizeof(float));
    return;
  }
  for (int64_t i = 0; i < count; ++i)
    store_half(to + 2 * i, format == WeightFormat::f16 ? galago::to_f16(row[i]) : galago::to_bf16(row[i]));
}

/// The values of one group: lines of 4 bytes `step` apart here, and `to_step` there; q8 is q + 128 in panels.
template <WeightFormat kFormat>
void move_fours(const std::byte* from, int64_t step, std::byte* to, int64_t to_step) {
  constexpr bool kQ8 = kFormat == WeightFormat::q8;
  constexpr int64_t kFours = (kQ8 ? kWeightGroup : kWeightGroup / 2) / 4;
  for (int64_t i = 0; i < kFours; ++i, from += step, to += to_step) {
    uint32_t four = 0;
    std::memcpy(&four, from, sizeof four);
    if (kQ8) four ^= 0x80808080U;
    std::memcpy(to, &four, sizeof four);
  }
}

/// Up to kPanelRows rows from `first` on, of planes or blocks, as one panel.
template <WeightFormat kFormat>
void pack_panel(const WeightView& from, int64_t first, int64_t count, std::byte* panel) {
  if (count < kPanelRows || from.groups() % 2 != 0)
    std::fill_n(panel, panel_bytes(kFormat, from.cols), std::byte{0});
  for (int64_t r = 0; r < count; ++r)
    for (int64_t g = 0; g < from.groups(); ++g) {
      const PanelGroup place = panel_group(kFormat, g);
      const WeightGroupView group = from.group(first + r, g);
      std::memcpy(panel + place.scales + 2 * r, group.scale, 2);
      if (kFormat == WeightFormat::q4) store_half(panel + place.minimums + 2 * r, group.minimum_bits());
      move_fours<kFormat>(group.values, 4, panel + place.values + 4 * r, kPanelLine);
    }
}

/// The other way round: `count` rows of a panel as planes, whose row `first` is the panel's first.
template <WeightFormat kFormat>
void unpack_panel(const std::byte* panel, int64_t groups, int64_t first, int64_t count,
                  const WeightPlanes& to) {
  constexpr int64_t kBytes = kFormat == WeightFormat::q8 ? kWeightGroup : kWeightGroup / 2;
  for (int64_t r = 0; r < count; ++r)
    for (int64_t g = 0; g < groups; ++g) {
      const PanelGroup place = panel_group(kFormat, g);
      const int64_t at = (first + r) * groups + g;
      std::memcpy(to.scales + 2 * at, panel + place.scales + 2 * r, 2);
      if (kFormat == WeightFormat::q4) std::memcpy(to.minimums + 2 * at, panel + place.minimums + 2 * r, 2);
      move_fours<kFormat>(panel + place.values + 4 * r, kPanelLine, to.values + at * kBytes, 4);
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

/// Rows [begin, end) as floats of a format.
void convert_rows(const WeightView& from, WeightFormat format, int64_t begin, int64_t end,
                  const WeightPlanes& to) {
  float* const row = cpu::thread_scratch<struct ConvertedRow>(from.cols);
  for (int64_t i = begin; i < end; ++i) {
    cpu::dequantise(from, i, 0, from.cols, row);
    floats_of_row(row, format, from.cols, to.values + i * value_bytes(format, from.cols));
  }
}

/// Rows [first, first + count), of a panel of the result, as that panel.
void panel_of(const WeightView& from, WeightFormat format, int64_t first, int64_t count, std::byte* panel) {
  if (from.format != format)
    cpu::quantise_panel(from, format, first, count, panel);
  else if (from.in_panels())
    std::memcpy(panel, from.panel(first), static_cast<size_t>(panel_bytes(format, from.cols)));
  else
    (format == WeightFormat::q8 ? pack_panel<WeightFormat::q8> : pack_panel<WeightFormat::q4>)(from, first,
                                                                                               count, panel);
}

void check_groups(const char* where, const WeightView& from) {
  if (from.cols % kWeightGroup != 0)
    throw Error(ErrorCode::internal, {.where = where,
                                      .got = "rows of " + std::to_string(from.cols),
                                      .expected = "a multiple of " + std::to_string(kWeightGroup)});
}

/// body(first, count) for the rows of each panel.
template <class Body>
void for_each_panel(Pool& pool, const WeightView& from, int64_t cost, const Body& body) {
  cpu::parallel_for(pool, (from.rows + kPanelRows - 1) / kPanelRows, kPanelRows * from.cols * cost,
                    [&](int64_t begin, int64_t end) {
                      for (int64_t first = begin * kPanelRows; first < end * kPanelRows; first += kPanelRows)
                        body(first, std::min(kPanelRows, from.rows - first));
                    });
}

// Of a weight, in elementary operations.
constexpr int64_t kConvertCost = 4;
constexpr int64_t kPackCost = 1;

}  // namespace

void Device::convert_weights(const WeightView& from, WeightFormat format, const WeightPlanes& to) const {
  if (format == from.format && from.layout == WeightLayout::rows) return copy_planes(pool(), from, to);
  if (!is_quantised(format)) {
    cpu::parallel_for(pool(), from.rows, from.cols * kConvertCost,
                      [&](int64_t begin, int64_t end) { convert_rows(from, format, begin, end, to); });
    return;
  }
  check_groups("kernels::convert_weights", from);
  const auto unpack =
      format == WeightFormat::q8 ? unpack_panel<WeightFormat::q8> : unpack_panel<WeightFormat::q4>;
  const int64_t panel = panel_bytes(format, from.cols) / static_cast<int64_t>(sizeof(float));
  for_each_panel(pool(), from, kConvertCost, [&](int64_t first, int64_t count) {
    auto* const scratch = reinterpret_cast<std::byte*>(cpu::thread_scratch<struct ConvertedPanel>(panel));
    panel_of(from, format, first, count, scratch);
    unpack(scratch, from.groups(), first, count, to);
  });
}

void Device::pack_weights(const WeightView& from, WeightFormat format, std::byte* to) const {
  check_groups("kernels::pack_weights", from);
  const int64_t panel = panel_bytes(format, from.cols);
  for_each_panel(pool(), from, from.format == format ? kPackCost : kConvertCost,
                 [&](int64_t first, int64_t count) {
                   panel_of(from, format, first, count, to + first / kPanelRows * panel);
                 });
}

}  // namespace galago::kernels
