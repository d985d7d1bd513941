// Products of a few rows with quantised weights in panels: y [n, out] = epilogue(x W^T). Bound by reading the
// weights, so they stay integers until a group's product is known. x becomes 16-bit integers, group by group:
// what is lost is 2^-16 of a group's largest number. A group's products are added in 32 bits without
// rounding, then scaled and added as floats, group after group. Each lane of a vector is one output.
#include "kernels/cpu/simd.h"
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/cpu/quant_gemv.cc"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

#include <algorithm>
#include <cmath>
#include <cstring>

#include "kernels/cpu/epilogue-inl.h"
#include "kernels/cpu/instructions.h"
#include "kernels/cpu/integers-inl.h"
#include "kernels/cpu/load-inl.h"
#include "kernels/cpu/parallel.h"
#include "kernels/cpu/prefetch.h"
#include "kernels/cpu/products.h"
#include "kernels/cpu/quant.h"

HWY_BEFORE_NAMESPACE();
namespace galago::kernels::cpu {
namespace HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

static_assert(kOutputBlock == kPanelRows);

constexpr float kMost = 32639;       // the largest integer, 256 * 127 + 127: each byte keeps its sign
constexpr float kLeast = 0x1p-100f;  // a group of smaller numbers counts for nothing: its factor has no bits

#if HWY_TARGET == HWY_SCALAR  // no vectors: the same integers, in the order of the columns

struct InShorts {};
using InBytes = InShorts;

/// dots[r * kOutputBlock + o] of all outputs o of a panel, for kRows rows of x from `row` on.
template <class Products, WeightFormat kFormat, int kRows, class Ahead>
void Panel(const WeightView& weight, int64_t first, const IntegerRows& x, int64_t row, const Ahead&,
           float* dots) {
  for (int64_t o = first; o < std::min(first + kPanelRows, weight.rows); ++o, ++dots)
    for (int r = 0; r < kRows; ++r) {
      float& dot = dots[r * kOutputBlock] = 0;
      for (int64_t g = 0; g < x.groups; ++g) {
        float weights[kWeightGroup];
        int16_t numbers[kWeightGroup];
        to_floats(weight, o, g * kWeightGroup, kWeightGroup, weights);
        std::memcpy(numbers, x.fours_of(row + r, g), sizeof numbers);
        float sum = 0;
        for (int64_t c = 0; c < kWeightGroup; ++c) sum += weights[c] * static_cast<float>(numbers[c]);
        dot += sum * x.factors[(row + r) * x.groups + g];
      }
    }
}

template <class Products>
void IntegersOf(const float* x, int64_t row, const IntegerRows& to) {
  for (int64_t g = 0; g < to.groups; ++g, x += kWeightGroup) {
    float most = 0, strange = 0;
    for (int64_t c = 0; c < kWeightGroup; ++c) {
      most = std::max(most, std::abs(x[c]));
      strange += x[c] - x[c];
    }
    const bool counts = strange == 0 && most > kLeast;
    to.factors[row * to.groups + g] = (counts ? most / kMost : 0) + strange;
    int16_t numbers[kWeightGroup];
    for (int64_t c = 0; c < kWeightGroup; ++c)
      numbers[c] = static_cast<int16_t>(counts ? std::lrint(x[c] * (kMost / most)) : 0);
    std::memcpy(to.fours_of(row, g), numbers, sizeof numbers);
  }
}

#else

/// dots[r * kOutputBlock + o] of all outputs o of a panel, for kRows rows of x from `row` on. With vectors
/// shorter than a panel, lanes from one on at a time. Asks for memory in the order in which it lies.
template <class Products, WeightFormat kFormat, int kRows, class Ahead>
HWY_NOINLINE void Panel(const WeightView& weight, int64_t first, const IntegerRows& x, int64_t row,
                        const Ahead& ask, float* dots) {
  const Floats d;
  const Fours fours;
  constexpr bool kQ8 = kFormat == WeightFormat::q8;
  constexpr int64_t kLanes = hn::MaxLanes(Floats()), kLines = (kQ8 ? kWeightGroup : kWeightGroup / 2) / 4;
  const std::byte* const panel = weight.panel(first);
  const int64_t from = row * x.groups;
  for (int64_t lane = 0; lane < kPanelRows; lane += kLanes) {
    hn::Vec<Floats> sums[kRows];
    for (auto& sum : sums) sum = hn::Zero(d);
    for (int64_t g = 0; g < x.groups; ++g) {
      const PanelGroup place = panel_group(kFormat, g);
      const std::byte* const values = panel + place.values + 4 * lane;
      TwoSums products[kRows];
      for (auto& two : products) two[0] = two[1] = hn::Zero(Ints());
      ask.ahead_of(panel + place.scales);
      // Not unrolled: the processor's prefetchers follow each load instruction on its own.
#pragma GCC unroll 1
      for (int64_t line = 0; line < kLines; ++line) {
        const auto weights = hn::LoadU(fours, reinterpret_cast<const uint8_t*>(values + line * kPanelLine));
        ask.ahead_of(values + line * kPanelLine);
        const auto low = hn::And(weights, hn::Set(fours, 15));
        const hn::Repartition<uint16_t, Ints> pairs;
        const auto high =
            hn::And(hn::BitCast(fours, hn::ShiftRight<4>(hn::BitCast(pairs, weights))), hn::Set(fours, 15));
        for (int r = 0; r < kRows; ++r) {
          const int32_t* const numbers = x.fours_of(row + r, g);
          Products::Add(kQ8 ? weights : low, numbers, line, products[r]);
          if (!kQ8) Products::Add(high, numbers, kLines + line, products[r]);
        }
      }
      const auto scales = F16::Load(panel + place.scales + 2 * lane);
      for (int r = 0; r < kRows; ++r) {
        const int64_t at = from + r * x.groups + g;
        auto product = Products::Join(products[r]);
        if (kQ8) product = hn::Add(product, hn::Set(Ints(), x.starts[at]));
        const auto factor = hn::Mul(scales, hn::Set(d, x.factors[at]));
        sums[r] = hn::MulAdd(hn::ConvertTo(d, product), factor, sums[r]);
        if constexpr (!kQ8)
          sums[r] = hn::MulAdd(F16::Load(panel + place.minimums + 2 * lane), hn::Set(d, x.sums[at]), sums[r]);
      }
    }
    for (int r = 0; r < kRows; ++r) hn::StoreU(sums[r], d, dots + r * kOutputBlock + lane);
  }
}

/// One row of x as integers.
template <class Products>
void IntegersOf(const float* HWY_RESTRICT x, int64_t row, const IntegerRows& to) {
  const Floats d;
  const hn::Rebind<int16_t, Floats> narrow;
  constexpr int64_t kLanes = hn::MaxLanes(Floats());
  for (int64_t g = 0; g < to.groups; ++g, x += kWeightGroup) {
    auto largest = hn::Zero(d), strange = hn::Zero(d);
    for (int64_t c = 0; c < kWeightGroup; c += kLanes) {
      const auto v = hn::LoadU(d, x + c);
      largest = hn::Max(largest, hn::Abs(v));
      strange = hn::Add(strange, hn::Sub(v, v));  // NaN where v is not finite, else 0
    }
    const float most = hn::GetLane(hn::MaxOfLanes(d, largest));
    const float inverse = most > kLeast ? kMost / most : 0.0f;
    HWY_ALIGN int16_t integers[kWeightGroup];
    auto total = hn::Zero(Ints());
    for (int64_t c = 0; c < kWeightGroup; c += kLanes) {
      const auto q = hn::NearestInt(hn::Mul(hn::LoadU(d, x + c), hn::Set(d, inverse)));
      total = hn::Add(total, q);
      hn::StoreU(hn::DemoteTo(narrow, q), narrow, integers + c);
    }
    const float nan = hn::GetLane(hn::SumOfLanes(d, strange));  // or 0
    const int32_t sum = nan == 0 ? hn::GetLane(hn::SumOfLanes(Ints(), total)) : 0;
    const float factor = inverse > 0 ? most / kMost : 0.0f;
    const int64_t at = row * to.groups + g;
    to.factors[at] = factor + nan;
    to.sums[at] = static_cast<float>(sum) * to.factors[at];
    to.starts[at] = -128 * sum;  // what q + 128 adds too much
    Products::Store(integers, to.fours_of(row, g));
  }
}

#endif

template <class Products, WeightFormat kFormat, class Ahead>
void AllRows(const WeightView& weight, int64_t first, const IntegerRows& x, const Ahead& ask, float* dots) {
  int64_t row = 0;
  const auto step = [&]<int kRows>() {
    for (; row + kRows <= x.rows; row += kRows)
      Panel<Products, kFormat, kRows>(weight, first, x, row, ask, dots + row * kOutputBlock);
  };
  step.template operator()<4>();
  step.template operator()<2>();
  step.template operator()<1>();
}

template <class Products>
void Columns(const IntegerRows& x, const Product& product, int64_t begin, int64_t end,
             const WeightPrefetch& prefetch) {
  float dots[kFewRows * kOutputBlock];
  const WeightView& weight = product.layer->weight();
  for (int64_t first = begin; first < end; first += kOutputBlock) {
    const int64_t outs = std::min(kOutputBlock, end - first);
    with_ask(prefetch, [&](const auto& ask) {
      if (weight.format == WeightFormat::q8)
        AllRows<Products, WeightFormat::q8>(weight, first, x, ask, dots);
      else
        AllRows<Products, WeightFormat::q4>(weight, first, x, ask, dots);
    });
    Finish(product.epilogue, EndOf(product, 0, first, {dots, x.rows, outs, kOutputBlock}));
  }
}

void FewRows(const IntegerRows& x, const Product& product, int64_t begin, int64_t end,
             const WeightPrefetch& prefetch) {
  (x.in_bytes ? Columns<InBytes> : Columns<InShorts>)(x, product, begin, end, prefetch);
}

void IntegerRow(const float* x, int64_t row, const IntegerRows& to) {
  (to.in_bytes ? IntegersOf<InBytes> : IntegersOf<InShorts>)(x, row, to);
}

}  // namespace HWY_NAMESPACE
}  // namespace galago::kernels::cpu
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace galago::kernels::cpu {
HWY_EXPORT(FewRows);
HWY_EXPORT(IntegerRow);

bool has_byte_products() { return can_use(Instructions::avx512_vnni); }

IntegerRows integer_rows(ConstMatrix x, bool in_bytes) {
  const int64_t groups = x.cols / kWeightGroup, all = x.rows * groups;
  float* const memory = thread_scratch<struct IntegerMemory>(all * (kGroupFours + 3));
  auto* const fours = reinterpret_cast<int32_t*>(memory);
  float *const factors = memory + all * kGroupFours, *const sums = factors + all;
  auto* const starts = reinterpret_cast<int32_t*>(sums + all);
  const IntegerRows rows{fours, factors, sums, starts, x.rows, groups, in_bytes};
  for (int64_t r = 0; r < x.rows; ++r) HWY_DYNAMIC_DISPATCH(IntegerRow)(x.row(r), r, rows);
  return rows;
}

void quantised_few_rows(const IntegerRows& x, const Product& product, int64_t begin, int64_t end,
                        const WeightPrefetch& prefetch) {
  HWY_DYNAMIC_DISPATCH(FewRows)(x, product, begin, end, prefetch);
}

}  // namespace galago::kernels::cpu
#endif
