// Products of a few rows with quantised weights: y [n, out] = epilogue(x W^T). Bound by reading the weights,
// so they stay integers until a group's product is known. x becomes 16-bit integers, group by group: what is
// lost is 2^-16 of a group's largest number. A group's products are added in 32 bits without rounding, then
// scaled and added as floats; the order depends only on the number of columns.
#include "kernels/cpu/simd.h"
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/cpu/quant_gemv.cc"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstring>

#include "kernels/cpu/epilogue-inl.h"
#include "kernels/cpu/integers-inl.h"
#include "kernels/cpu/load-inl.h"
#include "kernels/cpu/parallel.h"
#include "kernels/cpu/products.h"
#include "kernels/cpu/quant.h"
#include "kernels/cpu/sums-inl.h"

HWY_BEFORE_NAMESPACE();
namespace galago::kernels::cpu {
namespace HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

constexpr float kMost = 32639;       // the largest integer, 256 * 127 + 127: each byte keeps its sign
constexpr float kLeast = 0x1p-100f;  // a group of smaller numbers counts for nothing: its factor has no bits

#if HWY_TARGET == HWY_SCALAR  // no vectors: the same integers, in the order of the columns

constexpr int64_t kSpan = 1;
struct Q8 {};
struct Q4 {};
using Q4Bytes = Q4;

/// One row of weights times kRows rows of x: dots[r * kOutputBlock].
template <class Format, int kRows>
void Dot(const WeightView& weight, int64_t out, const IntegerRows& x, int64_t row, float* dots) {
  for (int r = 0; r < kRows; ++r) dots[r * kOutputBlock] = 0;
  for (int64_t g = 0; g < weight.groups(); ++g) {
    float weights[kWeightGroup];
    to_floats(weight, out, g * kWeightGroup, kWeightGroup, weights);
    for (int r = 0; r < kRows; ++r) {
      const int16_t* values = x.values + (row + r) * x.cols + g * kWeightGroup;
      float sum = 0;
      for (int64_t c = 0; c < kWeightGroup; ++c) sum += weights[c] * static_cast<float>(values[c]);
      dots[r * kOutputBlock] += sum * x.factors[(row + r) * x.groups + g];
    }
  }
}

template <class Format>
void IntegersOf(const float* x, int64_t groups, int16_t* values, float* factors, float*) {
  for (int64_t g = 0; g < groups; ++g, x += kWeightGroup, values += kWeightGroup) {
    float most = 0, strange = 0;
    for (int64_t c = 0; c < kWeightGroup; ++c) {
      most = std::max(most, std::abs(x[c]));
      strange += x[c] - x[c];
    }
    const bool counts = strange == 0 && most > kLeast;
    factors[g] = (counts ? most / kMost : 0) + strange;
    for (int64_t c = 0; c < kWeightGroup; ++c)
      values[c] = static_cast<int16_t>(counts ? std::lrint(x[c] * (kMost / most)) : 0);
  }
}

#else

template <class Format>
constexpr bool kHasMinimum = Format::kGroupBytes == kHalf;

/// A row of weights from one group on; minimums are the scales where there are none.
struct Weights {
  const std::byte* values;
  const std::byte* scales;
  const std::byte* minimums;

  template <class Format>
  HWY_INLINE Weights After(int64_t groups) const {
    return {values + groups * Format::kGroupBytes, scales + 2 * groups, minimums + 2 * groups};
  }
};
/// Rows of x from one group on.
struct Integers {
  const int16_t* values;
  const float* factors;
  const float* sums;
  int64_t cols, groups;  // from one row to the next

  HWY_INLINE Integers After(int64_t more) const {
    return {values + more * kWeightGroup, factors + more, sums + more, cols, groups};
  }
};

/// The group of each lane in every chunk of a span. (A table in memory: Highway's Iota would write it anew.)
template <class Format>
constexpr std::array<int32_t, kSpan * kSpan * Format::kGroupBytes / kVector> kGroupOfLane = [] {
  std::array<int32_t, kSpan * kSpan * Format::kGroupBytes / kVector> groups{};
  for (size_t lane = 0; lane < groups.size(); ++lane)
    groups[lane] = static_cast<int32_t>(lane * 4 / Format::kGroupBytes);
  return groups;
}();

/// How a row divides: whole spans, then a last one of some chunks whose first groups are the row's.
struct Division {
  int64_t whole, chunks;
  hn::Mask<Floats> last;

  template <class Format>
  static Division Of(int64_t groups) {
    const int64_t rest = groups % kSpan;
    return {groups / kSpan, (rest * Format::kGroupBytes + kVector - 1) / kVector,
            hn::FirstN(Floats(), static_cast<size_t>(rest))};
  }
};

/// One span of a row of weights times kRows rows of x, added to sums. What a last span reads of the next row
/// meets zeros of x and counts for nothing.
template <class Format, int kRows, bool kWhole>
HWY_INLINE void Span(const Weights& weights, const Integers& x, const Division& division,
                     hn::Vec<Floats> (&sums)[kRows]) {
  const Floats d;
  constexpr int64_t kColumns = kVector * kWeightGroup / Format::kGroupBytes;  // of a chunk
  const auto of_row = [&](const std::byte* halves) {
    AskOnce(halves + kAhead / 8);
    const auto floats = F16::Load(halves);
    return kWhole ? floats : hn::IfThenElseZero(division.last, floats);
  };
  const auto scales = of_row(weights.scales);
  hn::Vec<Floats> factors[kRows];
  for (int r = 0; r < kRows; ++r) factors[r] = hn::Mul(scales, hn::LoadU(d, x.factors + r * x.groups));
  if constexpr (kHasMinimum<Format>) {
    const auto minimums = of_row(weights.minimums);
    for (int r = 0; r < kRows; ++r)
      sums[r] = hn::MulAdd(minimums, hn::LoadU(d, x.sums + r * x.groups), sums[r]);
  }
#pragma GCC unroll 8
  for (int64_t k = 0; k < kSpan * Format::kGroupBytes / kVector; ++k) {
    if (!kWhole && k == division.chunks) break;
    const std::byte* from = weights.values + k * kVector;
    typename Format::Part parts[Format::kParts];
    Format::Load(from, parts);
    AskOnce(from + kAhead);
    const auto spread = hn::SetTableIndices(d, kGroupOfLane<Format>.data() + k * kSpan);
    const int16_t* const values = x.values + k * kColumns;
    for (int r = 0; r < kRows; ++r)
      sums[r] = hn::MulAdd(hn::ConvertTo(d, Format::Products(parts, values + r * x.cols)),
                           hn::TableLookupLanes(factors[r], spread), sums[r]);
  }
}

/// One row of weights times kRows rows of x: the lanes of sums[r] are to be added.
template <class Format, int kRows>
HWY_INLINE void Dot(const Weights& weights, const Integers& x, const Division& division,
                    hn::Vec<Floats> (&sums)[kRows]) {
  for (int r = 0; r < kRows; ++r) sums[r] = hn::Zero(Floats());
  int64_t g = 0;
  for (int64_t span = 0; span < division.whole; ++span, g += kSpan)
    Span<Format, kRows, true>(weights.After<Format>(g), x.After(g), division, sums);
  if (division.chunks > 0) Span<Format, kRows, false>(weights.After<Format>(g), x.After(g), division, sums);
}

/// A row of weights, followed by zeros up to a whole span.
template <class Format>
HWY_NOINLINE Weights CopyOf(const Weights& weights, int64_t groups) {
  const int64_t padded = (groups + kSpan - 1) / kSpan * kSpan, bytes = padded * (Format::kGroupBytes + 4);
  auto* const values = reinterpret_cast<std::byte*>(thread_scratch<struct LastRow>((bytes + 3) / 4));
  std::byte* const scales = values + padded * Format::kGroupBytes;
  std::byte* const minimums = scales + padded * 2;
  std::fill_n(values, bytes, std::byte{0});
  std::memcpy(values, weights.values, static_cast<size_t>(groups * Format::kGroupBytes));
  std::memcpy(scales, weights.scales, static_cast<size_t>(groups * 2));
  std::memcpy(minimums, weights.minimums, static_cast<size_t>(groups * 2));
  return {values, scales, minimums};
}

/// One row of x as integers; values, factors and sums are zero beforehand.
template <class Format>
void IntegersOf(const float* HWY_RESTRICT x, int64_t groups, int16_t* HWY_RESTRICT values,
                float* HWY_RESTRICT factors, float* HWY_RESTRICT sums) {
  const Floats d;
  const Ints ints;
  const hn::Rebind<int16_t, Floats> narrow;
  constexpr int64_t kLanes = kVector / 4;
  for (int64_t g = 0; g < groups; ++g, x += kWeightGroup) {
    auto largest = hn::Zero(d), strange = hn::Zero(d);
    for (int64_t c = 0; c < kWeightGroup; c += kLanes) {
      const auto v = hn::LoadU(d, x + c);
      largest = hn::Max(largest, hn::Abs(v));
      strange = hn::Add(strange, hn::Sub(v, v));  // NaN where v is not finite, else 0
    }
    const float most = hn::GetLane(hn::MaxOfLanes(d, largest));
    const float inverse = most > kLeast ? kMost / most : 0.0f;
    HWY_ALIGN int16_t integers[kWeightGroup];
    auto total = hn::Zero(ints);
    for (int64_t c = 0; c < kWeightGroup; c += kLanes) {
      const auto q = hn::NearestInt(hn::Mul(hn::LoadU(d, x + c), hn::Set(d, inverse)));
      total = hn::Add(total, q);
      hn::StoreU(hn::DemoteTo(narrow, q), narrow, integers + c);
    }
    const float factor = inverse > 0 ? most / kMost : 0.0f;
    factors[g] = factor + hn::GetLane(hn::SumOfLanes(d, strange));
    sums[g] = static_cast<float>(hn::GetLane(hn::SumOfLanes(ints, total))) * factors[g];
    Format::template StoreGroup<Format::kParts>(integers, g, values);
  }
}

#endif

/// body<Format>() with the format of the weights and the order of x.
template <class Body>
void with_format(WeightFormat format, bool in_bytes, const Body& body) {
  if (format == WeightFormat::q8)
    body.template operator()<Q8>();
  else
    in_bytes ? body.template operator()<Q4Bytes>() : body.template operator()<Q4>();
}

/// dots[r][0..outs) of rows [row, row + kRows) of x.
template <class Format, int kRows>
HWY_NOINLINE void SomeRows(const WeightView& weight, int64_t first, int64_t outs, const IntegerRows& x,
                           int64_t row, float* dots) {
  dots += row * kOutputBlock;
#if HWY_TARGET == HWY_SCALAR
  for (int64_t o = 0; o < outs; ++o) Dot<Format, kRows>(weight, first + o, x, row, dots + o);
#else
  const int64_t groups = weight.groups(), plane = 2 * first * groups;
  const Integers from = {x.values + row * x.cols, x.factors + row * x.groups, x.sums + row * x.groups, x.cols,
                         x.groups};
  Weights weights = {weight.row(first), weight.scales + plane,
                     (kHasMinimum<Format> ? weight.minimums : weight.scales) + plane};
  const Division division = Division::Of<Format>(groups);
  // The last rows of a matrix would read on beyond its end.
  const int64_t beyond = (kSpan - groups % kSpan) % kSpan;
  const int64_t safe = weight.rows - first - (beyond + groups - 1) / groups;
  for (int64_t o = 0; o < outs; o += 4) {
    hn::Vec<Floats> sums[4][kRows];
    // Not unrolled: the processor's prefetchers follow each load instruction on its own.
#pragma GCC unroll 1
    for (int64_t i = 0; i < 4; ++i) {
      hn::Vec<Floats> of_row[kRows];
      Dot<Format, kRows>(o + i < safe ? weights : CopyOf<Format>(weights, groups), from, division, of_row);
      for (int r = 0; r < kRows; ++r) sums[i][r] = of_row[r];
      if (o + i + 1 < outs) weights = weights.After<Format>(groups);
    }
    for (int r = 0; r < kRows; ++r)
      StoreSums(sums[0][r], sums[1][r], sums[2][r], sums[3][r], dots + r * kOutputBlock + o);
  }
#endif
}

template <class Format>
void AllRows(const WeightView& weight, int64_t first, int64_t outs, const IntegerRows& x, float* dots) {
  int64_t row = 0;
  for (; row + 4 <= x.rows; row += 4) SomeRows<Format, 4>(weight, first, outs, x, row, dots);
  for (; row + 2 <= x.rows; row += 2) SomeRows<Format, 2>(weight, first, outs, x, row, dots);
  for (; row < x.rows; ++row) SomeRows<Format, 1>(weight, first, outs, x, row, dots);
}

void FewRows(const IntegerRows& x, const Product& product, int64_t begin, int64_t end) {
  float dots[kFewRows * kOutputBlock];
  const WeightView& weight = product.layer->weight();
  for (int64_t first = begin; first < end; first += kOutputBlock) {
    const int64_t outs = std::min(kOutputBlock, end - first);
    with_format(weight.format, x.in_bytes,
                [&]<class Format>() { AllRows<Format>(weight, first, outs, x, dots); });
    Finish(product.epilogue, EndOf(product, 0, first, {dots, x.rows, outs, kOutputBlock}));
  }
}

int64_t SpanColumns() { return kSpan * kWeightGroup; }

void IntegerRow(WeightFormat format, bool in_bytes, const float* x, int64_t groups, int16_t* values,
                float* factors, float* sums) {
  with_format(format, in_bytes,
              [&]<class Format>() { IntegersOf<Format>(x, groups, values, factors, sums); });
}

}  // namespace HWY_NAMESPACE
}  // namespace galago::kernels::cpu
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace galago::kernels::cpu {
HWY_EXPORT(FewRows);
HWY_EXPORT(IntegerRow);
HWY_EXPORT(SpanColumns);

bool has_byte_products() {
#if defined(__x86_64__)
  return __builtin_cpu_supports("avx512vnni");
#else
  return false;
#endif
}

IntegerRows integer_rows(ConstMatrix x, WeightFormat format, bool in_bytes) {
  const int64_t span = HWY_DYNAMIC_DISPATCH(SpanColumns)();
  const int64_t cols = (x.cols + span - 1) / span * span, groups = cols / kWeightGroup;
  const int64_t floats = x.rows * (cols / 2 + 2 * groups);
  float* const memory = format == WeightFormat::q8 ? thread_scratch<struct ForQ8>(floats)
                                                   : thread_scratch<struct ForQ4>(floats);
  std::fill_n(memory, floats, 0.0f);
  float* const factors = memory + x.rows * cols / 2;
  float* const sums = factors + x.rows * groups;
  auto* const values = reinterpret_cast<int16_t*>(memory);
  for (int64_t r = 0; r < x.rows; ++r) HWY_DYNAMIC_DISPATCH(IntegerRow)
  (format, in_bytes, x.row(r), x.cols / kWeightGroup, values + r * cols, factors + r * groups,
   sums + r * groups);
  return {values, factors, sums, x.rows, cols, groups, in_bytes};
}

void quantised_few_rows(const IntegerRows& x, const Product& product, int64_t begin, int64_t end) {
  HWY_DYNAMIC_DISPATCH(FewRows)(x, product, begin, end);
}

}  // namespace galago::kernels::cpu
#endif
