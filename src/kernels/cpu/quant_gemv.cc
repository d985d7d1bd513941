// Products of a few rows with quantised weights: y [n, out] = epilogue(x W^T). Bound by reading the weights,
// so they stay integers until a group's product is known. x becomes 16-bit integers, group by group: what is
// lost is 2^-16 of a group's largest number. A group's products are added in 32 bits without rounding, then
// scaled and added as floats; the order depends only on the number of columns.
#include "kernels/cpu/simd.h"
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/cpu/quant_gemv.cc"
#include <hwy/cache_control.h>
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

#include <algorithm>
#include <cmath>

#include "kernels/cpu/epilogue-inl.h"
#include "kernels/cpu/load-inl.h"
#include "kernels/cpu/parallel.h"
#include "kernels/cpu/products.h"
#include "kernels/cpu/quant.h"

HWY_BEFORE_NAMESPACE();
namespace galago::kernels::cpu {
namespace HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

constexpr float kMost = 32767;       // the largest integer
constexpr float kLeast = 0x1p-100f;  // a group of smaller numbers counts for nothing: its factor has no bits

#if HWY_TARGET == HWY_SCALAR  // no vectors: the same integers, in the order of the columns

constexpr int64_t kSpan = 1;
struct Q8 {};
struct Q4 {};

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

// A span is as many groups as a vector has floats. Its weights fill kChunks vectors of bytes; in a chunk each
// 32-bit lane belongs to one group.
constexpr int64_t kVector = static_cast<int64_t>(hn::MaxLanes(hn::ScalableTag<uint8_t>()));
constexpr int64_t kSpan = kVector / 4;
constexpr int64_t kHalf = kWeightGroup / 2;

using Shorts = hn::ScalableTag<int16_t>;
using Ints = hn::ScalableTag<int32_t>;

/// sum of a[i] * b[i], pairs in the lanes of their blocks, added to sum.
HWY_INLINE hn::Vec<Ints> AddProducts(hn::Vec<Shorts> a, hn::Vec<Shorts> b, hn::Vec<Ints> sum) {
  auto rest = hn::Zero(Ints());
  sum = hn::ReorderWidenMulAccumulate(Ints(), a, b, sum, rest);
  return hn::Add(sum, rest);  // of the instruction sets that divide the pairs between two sums
}

/// The vector, which the compiler may not load a second time instead of keeping it: weights are not aligned
/// to vectors, so that every other load touches two cache lines.
template <class V>
HWY_INLINE V Keep(V v) {
#if HWY_ARCH_X86 && HWY_TARGET != HWY_SCALAR
  asm("" : "+v"(v.raw));
#endif
  return v;
}

/// int8, 32 bytes a group.
struct Q8 {
  static constexpr WeightFormat kFormat = WeightFormat::q8;
  static constexpr int64_t kGroupBytes = kWeightGroup;
  static constexpr int kChunks = 8;
  static constexpr int kParts = 2;  // even and odd columns

  static HWY_INLINE void Load(const std::byte* from, hn::Vec<Shorts> (&parts)[kParts]) {
    const Shorts d;
    const auto pairs = Keep(hn::LoadU(d, reinterpret_cast<const int16_t*>(from)));
    parts[0] = hn::ShiftRight<8>(hn::ShiftLeft<8>(pairs));
    parts[1] = hn::ShiftRight<8>(pairs);
  }
  /// Where the even ones of columns [col, col + 16) go; the odd ones follow a vector later.
  static int64_t Place(int64_t col) { return col / kVector * kVector + col % kVector / 2; }
  static constexpr int64_t kOdd = kVector / 2;
};

/// 4-bit pairs, 16 bytes a group.
struct Q4 {
  static constexpr WeightFormat kFormat = WeightFormat::q4;
  static constexpr int64_t kGroupBytes = kHalf;
  static constexpr int kChunks = 4;
  static constexpr int kParts = 4;  // even columns below 16, from 16 on, odd ones below 16, from 16 on

  static HWY_INLINE void Load(const std::byte* from, hn::Vec<Shorts> (&parts)[kParts]) {
    const hn::ScalableTag<uint16_t> d;
    const Shorts to;
    const auto low = hn::Set(d, 15);
    const auto quads = Keep(hn::LoadU(d, reinterpret_cast<const uint16_t*>(from)));
    parts[0] = hn::BitCast(to, hn::And(quads, low));
    parts[1] = hn::BitCast(to, hn::And(hn::ShiftRight<4>(quads), low));
    parts[2] = hn::BitCast(to, hn::And(hn::ShiftRight<8>(quads), low));
    parts[3] = hn::BitCast(to, hn::ShiftRight<12>(quads));
  }
  static int64_t Place(int64_t col) {
    constexpr int64_t kGroups = kVector / kHalf;  // of a chunk
    const int64_t group = col / kWeightGroup;
    return group / kGroups * kGroups * kWeightGroup + group % kGroups * (kHalf / 2) +
           (col % kWeightGroup < kHalf ? 0 : kVector / 2);
  }
  static constexpr int64_t kOdd = kVector;
};

template <class Format>
constexpr bool kHasMinimum = Format::kFormat == WeightFormat::q4;

/// The planes of one row of weights from one span on.
struct Planes {
  const std::byte* values;
  const std::byte* scales;
  const std::byte* minimums;
};

/// One span of a row of weights times kRows rows of x, added to sums.
template <class Format, int kRows>
HWY_INLINE void Span(const Planes& planes, const IntegerRows& x, int64_t row, int64_t span, int chunks,
                     hn::Vec<Floats> (&sums)[kRows]) {
  const Floats d;
  const Shorts shorts;
  constexpr int64_t kLanes = kVector / 2;
  const int16_t* HWY_RESTRICT values = x.values + row * x.cols + span * kSpan * kWeightGroup;
  const int64_t at = row * x.groups + span * kSpan;
  const auto scales = F16::Load(planes.scales);
  hn::Vec<Floats> factors[kRows];
  for (int r = 0; r < kRows; ++r) factors[r] = hn::Mul(scales, hn::LoadU(d, x.factors + at + r * x.groups));
  if constexpr (kHasMinimum<Format>) {
    const auto minimums = F16::Load(planes.minimums);
    for (int r = 0; r < kRows; ++r)
      sums[r] = hn::MulAdd(minimums, hn::LoadU(d, x.sums + at + r * x.groups), sums[r]);
  }
#pragma GCC unroll 8
  for (int k = 0; k < chunks; ++k, values += Format::kParts * kLanes) {
    const std::byte* from = planes.values + k * kVector;
    hn::Vec<Shorts> parts[Format::kParts];
    Format::Load(from, parts);
    hwy::Prefetch(from + kAhead);
    // The group of each lane in this chunk.
    const auto group = hn::ShiftRight < kHasMinimum<Format>
                           ? 2
                           : 3 > (hn::Iota(Ints(), static_cast<int32_t>(k * kVector / 4)));
    const auto spread = hn::IndicesFromVec(d, group);
    for (int r = 0; r < kRows; ++r) {
      auto sum = hn::Zero(Ints());
      for (int p = 0; p < Format::kParts; ++p)
        sum = AddProducts(parts[p], hn::LoadU(shorts, values + r * x.cols + p * kLanes), sum);
      sums[r] = hn::MulAdd(hn::ConvertTo(d, sum), hn::TableLookupLanes(factors[r], spread), sums[r]);
    }
  }
}

/// The planes of the last `groups` groups of a matrix, followed by zeros up to a whole span.
template <class Format>
HWY_NOINLINE Planes CopyOf(const Planes& planes, int64_t groups, std::byte* to) {
  constexpr int64_t kValues = kSpan * Format::kGroupBytes;
  std::fill_n(to, kValues + 4 * kSpan, std::byte{0});
  std::memcpy(to, planes.values, static_cast<size_t>(groups * Format::kGroupBytes));
  std::memcpy(to + kValues, planes.scales, static_cast<size_t>(2 * groups));
  if constexpr (kHasMinimum<Format>)
    std::memcpy(to + kValues + 2 * kSpan, planes.minimums, static_cast<size_t>(2 * groups));
  return {to, to + kValues, to + kValues + 2 * kSpan};
}

/// One row of weights times kRows rows of x: dots[r * kOutputBlock]. A last span that is not whole reads on
/// into the next rows, whose weights meet zeros of x; at the end of the matrix it reads a copy.
template <class Format, int kRows>
HWY_INLINE void Dot(const WeightView& weight, int64_t out, const IntegerRows& x, int64_t row, float* dots) {
  const int64_t groups = weight.groups();
  const int64_t whole = groups / kSpan, rest = groups % kSpan;
  hn::Vec<Floats> sums[kRows];
  for (int r = 0; r < kRows; ++r) sums[r] = hn::Zero(Floats());
  const int64_t plane = 2 * out * groups;
  Planes planes{weight.row(out), weight.scales + plane, nullptr};
  if constexpr (kHasMinimum<Format>) planes.minimums = weight.minimums + plane;
  for (int64_t span = 0; span < whole; ++span) {
    Span<Format, kRows>(planes, x, row, span, Format::kChunks, sums);
    planes.values += kSpan * Format::kGroupBytes;
    planes.scales += 2 * kSpan;
    if constexpr (kHasMinimum<Format>) planes.minimums += 2 * kSpan;
  }
  if (rest > 0) {
    const int chunks = static_cast<int>((rest * Format::kGroupBytes + kVector - 1) / kVector);
    const int64_t left = (weight.rows - out - 1) * groups + rest;  // groups up to the end of the matrix
    std::byte copy[kSpan * (Format::kGroupBytes + 4)];
    if (left < kSpan) planes = CopyOf<Format>(planes, rest, copy);
    Span<Format, kRows>(planes, x, row, whole, chunks, sums);
  }
  for (int r = 0; r < kRows; ++r) dots[r * kOutputBlock] = hn::GetLane(hn::SumOfLanes(Floats(), sums[r]));
}

/// One row of x as integers; values, factors and sums are zero beforehand.
template <class Format>
void IntegersOf(const float* HWY_RESTRICT x, int64_t groups, int16_t* HWY_RESTRICT values,
                float* HWY_RESTRICT factors, float* HWY_RESTRICT sums) {
  const Floats d;
  const Ints ints;
  const hn::Rebind<int16_t, Floats> narrow;
  const hn::Full128<int16_t> eight;
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
    for (int64_t c = 0; c < kWeightGroup; c += 16) {
      const auto a = hn::Load(eight, integers + c), b = hn::Load(eight, integers + c + 8);
      int16_t* const to = values + Format::Place(g * kWeightGroup + c);
      hn::StoreU(hn::ConcatEven(eight, b, a), eight, to);
      hn::StoreU(hn::ConcatOdd(eight, b, a), eight, to + Format::kOdd);
    }
  }
}

#endif

/// dots[r][0..outs) of rows [row, row + kRows) of x.
template <class Format, int kRows>
HWY_NOINLINE void SomeRows(const WeightView& weight, int64_t first, int64_t outs, const IntegerRows& x,
                           int64_t row, float* dots) {
  for (int64_t o = 0; o < outs; ++o)
    Dot<Format, kRows>(weight, first + o, x, row, dots + row * kOutputBlock + o);
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
    if (weight.format == WeightFormat::q8)
      AllRows<Q8>(weight, first, outs, x, dots);
    else
      AllRows<Q4>(weight, first, outs, x, dots);
    for (int64_t r = 0; r < x.rows; ++r)
      FinishRow(product, r, first, outs, dots + r * kOutputBlock, product.y.row(r) + first);
  }
}

int64_t SpanColumns() { return kSpan * kWeightGroup; }

void IntegerRow(WeightFormat format, const float* x, int64_t groups, int16_t* values, float* factors,
                float* sums) {
  if (format == WeightFormat::q8)
    IntegersOf<Q8>(x, groups, values, factors, sums);
  else
    IntegersOf<Q4>(x, groups, values, factors, sums);
}

}  // namespace HWY_NAMESPACE
}  // namespace galago::kernels::cpu
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace galago::kernels::cpu {
HWY_EXPORT(FewRows);
HWY_EXPORT(IntegerRow);
HWY_EXPORT(SpanColumns);

IntegerRows integer_rows(ConstMatrix x, WeightFormat format) {
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
  (format, x.row(r), x.cols / kWeightGroup, values + r * cols, factors + r * groups, sums + r * groups);
  return {values, factors, sums, x.rows, cols, groups};
}

void quantised_few_rows(const IntegerRows& x, const Product& product, int64_t begin, int64_t end) {
  HWY_DYNAMIC_DISPATCH(FewRows)(x, product, begin, end);
}

}  // namespace galago::kernels::cpu
#endif
