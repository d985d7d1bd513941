// Quantised weights in panels as floats, column by column: what a product of many rows packs.
// Included once per instruction set, from Highway files only.
#if defined(GALAGO_PANELS_INL_H) == defined(HWY_TARGET_TOGGLE)
#ifdef GALAGO_PANELS_INL_H
#undef GALAGO_PANELS_INL_H
#else
#define GALAGO_PANELS_INL_H
#endif

#include <hwy/highway.h>

#include "kernels/cpu/load-inl.h"

HWY_BEFORE_NAMESPACE();
namespace galago::kernels::cpu {
namespace HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

/// A group of as many rows as a vector has lanes, rows side by side: column c to out + c * stride. `lane`:
/// the first of the rows in the panel.
template <WeightFormat kFormat>
HWY_INLINE void ColumnsOfGroup(const std::byte* panel, int64_t group, int64_t lane, float* HWY_RESTRICT out,
                               int64_t stride) {
  const Floats d;
  const hn::RebindToUnsigned<Floats> words;
  const hn::RebindToSigned<Floats> ints;
  constexpr bool kQ8 = kFormat == WeightFormat::q8;
  constexpr int64_t kHalf = kWeightGroup / 2, kLines = (kQ8 ? kWeightGroup : kHalf) / 4;
  const PanelGroup place = panel_group(kFormat, group);
  const auto scale = F16::Load(panel + place.scales + 2 * lane);
  const auto minimum = kQ8 ? hn::Zero(d) : F16::Load(panel + place.minimums + 2 * lane);
  const auto number = [&](auto bits) { return hn::ConvertTo(d, hn::BitCast(ints, bits)); };
  const std::byte* from = panel + place.values + 4 * lane;
  for (int64_t line = 0; line < kLines; ++line, from += kPanelLine) {
    auto four = hn::LoadU(words, reinterpret_cast<const uint32_t*>(from));
    for (int64_t c = 4 * line; c < 4 * line + 4; ++c, four = hn::ShiftRight<8>(four)) {
      if constexpr (kQ8) {
        const auto q = hn::Sub(number(hn::And(four, hn::Set(words, 255))), hn::Set(d, 128.0f));
        hn::StoreU(hn::Mul(q, scale), d, out + c * stride);
      } else {
        const auto low = hn::And(four, hn::Set(words, 15)),
                   high = hn::And(hn::ShiftRight<4>(four), hn::Set(words, 15));
        hn::StoreU(hn::MulAdd(number(low), scale, minimum), d, out + c * stride);
        hn::StoreU(hn::MulAdd(number(high), scale, minimum), d, out + (kHalf + c) * stride);
      }
    }
  }
}

/// Weights [begin, begin + count) (whole groups) of as many rows from `row` on as a vector has lanes.
inline void ColumnsOfPanel(const WeightView& weights, int64_t row, int64_t begin, int64_t count,
                           float* HWY_RESTRICT out, int64_t stride) {
  const std::byte* const panel = weights.panel(row);
  for (int64_t c = 0; c < count; c += kWeightGroup) {
    const int64_t group = (begin + c) / kWeightGroup, lane = row % kPanelRows;
    if (weights.format == WeightFormat::q8)
      ColumnsOfGroup<WeightFormat::q8>(panel, group, lane, out + c * stride, stride);
    else
      ColumnsOfGroup<WeightFormat::q4>(panel, group, lane, out + c * stride, stride);
  }
}

}  // namespace HWY_NAMESPACE
}  // namespace galago::kernels::cpu
HWY_AFTER_NAMESPACE();
#endif
