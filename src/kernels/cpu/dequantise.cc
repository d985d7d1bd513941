// Weights of any format as floats: a part of one row, for tables of rows and for packing panels of weights.
// In: a WeightView. Out: floats, bit for bit those of to_floats: a product of a float16 scale and a quantised
// number is exact in float32, so that only adding the minimum rounds, fused or not.
#include "kernels/cpu/simd.h"
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/cpu/dequantise.cc"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

#include <algorithm>

#include "core/half.h"
#include "kernels/cpu/cpu.h"
#include "kernels/cpu/load-inl.h"
#include "kernels/cpu/parallel.h"
#include "kernels/cpu/quant.h"

HWY_BEFORE_NAMESPACE();
namespace galago::kernels::cpu {
namespace HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

/// Elements of a float format; returns how many were done, whole vectors only.
template <class Element>
int64_t WholeVectors(const std::byte* from, int64_t count, float* out) {
  const auto lanes = static_cast<int64_t>(hn::Lanes(Floats()));
  int64_t i = 0;
  for (; i + lanes <= count; i += lanes)
    hn::StoreU(Element::Load(from + i * Element::kBytes), Floats(), out + i);
  return i;
}

/// One group of q8.
void Group8(const std::byte* from, float scale, float* out) {
  const Floats d;
  const hn::Rebind<int8_t, Floats> narrow;
  const hn::RebindToSigned<Floats> wide;
  const auto factor = hn::Set(d, scale);
  for (int64_t i = 0; i < kWeightGroup; i += static_cast<int64_t>(hn::Lanes(d))) {
    const auto q = hn::LoadU(narrow, reinterpret_cast<const int8_t*>(from) + i);
    hn::StoreU(hn::Mul(hn::ConvertTo(d, hn::PromoteTo(wide, q)), factor), d, out + i);
  }
}

/// One group of q4.
void Group4(const std::byte* from, float scale, float minimum, float* out) {
  constexpr int64_t kHalf = kWeightGroup / 2;
  const Floats d;
  const hn::Rebind<uint8_t, Floats> narrow;
  const hn::RebindToSigned<Floats> wide;
  const auto factor = hn::Set(d, scale), offset = hn::Set(d, minimum);
  for (int64_t i = 0; i < kHalf; i += static_cast<int64_t>(hn::Lanes(d))) {
    const auto pairs = hn::PromoteTo(wide, hn::LoadU(narrow, reinterpret_cast<const uint8_t*>(from) + i));
    const auto low = hn::And(pairs, hn::Set(wide, 15)), high = hn::ShiftRight<4>(pairs);
    hn::StoreU(hn::MulAdd(hn::ConvertTo(d, low), factor, offset), d, out + i);
    hn::StoreU(hn::MulAdd(hn::ConvertTo(d, high), factor, offset), d, out + kHalf + i);
  }
}

/// A float16.
float HalfAt(const std::byte* place) {
  uint16_t bits = 0;
  std::memcpy(&bits, place, sizeof bits);
  return from_f16(bits);
}

/// A group's bytes of one row of a panel, as they lie in planes.
void RowOfPanel(WeightFormat format, const std::byte* values, int64_t lane, std::byte* to) {
  const uint32_t signs = format == WeightFormat::q8 ? 0x80808080U : 0;
  for (int64_t i = 0; i < value_bytes(format, kWeightGroup) / 4; ++i) {
    uint32_t four = 0;
    std::memcpy(&four, values + i * kPanelLine + 4 * lane, sizeof four);
    four ^= signs;
    std::memcpy(to + 4 * i, &four, sizeof four);
  }
}

/// Whole groups [first, end) of a row.
void Groups(const WeightView& view, int64_t row, int64_t first, int64_t end, float* out) {
  const bool q8 = view.format == WeightFormat::q8;
  const int64_t lane = row % kPanelRows;
  std::byte values[kWeightGroup];
  for (int64_t g = first; g < end; ++g, out += kWeightGroup) {
    WeightGroupView group;
    if (view.in_panels()) {
      const std::byte* const panel = view.panel(row);
      const PanelGroup place = panel_group(view.format, g);
      RowOfPanel(view.format, panel + place.values, lane, values);
      group = {values, panel + place.scales + 2 * lane, panel + place.minimums + 2 * lane};
    } else {
      group = view.group(row, g);
    }
    if (q8)
      Group8(group.values, HalfAt(group.scale), out);
    else
      Group4(group.values, HalfAt(group.scale), from_f16(group.minimum_bits()), out);
  }
}

void PartOfRow(const WeightView& view, int64_t row, int64_t begin, int64_t count, float* out) {
  if (is_quantised(view.format)) {
    // Groups that the part cuts are read number by number.
    const int64_t head = std::min(count, (kWeightGroup - begin % kWeightGroup) % kWeightGroup);
    const int64_t first = (begin + head) / kWeightGroup,
                  end = std::max(first, (begin + count) / kWeightGroup);
    to_floats(view, row, begin, head, out);
    Groups(view, row, first, end, out + head);
    const int64_t done = head + (end - first) * kWeightGroup;
    to_floats(view, row, begin + done, count - done, out + done);
    return;
  }
  const std::byte* from = view.row(row) + value_bytes(view.format, begin);
  int64_t done = 0;
  if (view.format == WeightFormat::f32)
    done = WholeVectors<F32>(from, count, out);
  else if (view.format == WeightFormat::bf16)
    done = WholeVectors<Bf16>(from, count, out);
  else
    done = WholeVectors<F16>(from, count, out);
  to_floats(view, row, begin + done, count - done, out + done);
}

}  // namespace HWY_NAMESPACE
}  // namespace galago::kernels::cpu
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace galago::kernels::cpu {
HWY_EXPORT(PartOfRow);

void dequantise(const WeightView& view, int64_t row, int64_t begin, int64_t count, float* out) {
  HWY_DYNAMIC_DISPATCH(PartOfRow)(view, row, begin, count, out);
}

void gather_rows(Pool& pool, const WeightView& table, std::span<const int32_t> ids, Matrix out) {
  parallel_for(pool, out.rows, out.cols, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i)
      dequantise(table, ids[static_cast<size_t>(i)], 0, out.cols, out.row(i));
  });
}

}  // namespace galago::kernels::cpu
#endif
