// The heart of products in whole numbers: a block of rows times a panel of columns, whose sums stay in
// registers. Included once per instruction set, from Highway files only.
#if defined(GALAGO_INT8_BLOCK_INL_H) == defined(HWY_TARGET_TOGGLE)
#ifdef GALAGO_INT8_BLOCK_INL_H
#undef GALAGO_INT8_BLOCK_INL_H
#else
#define GALAGO_INT8_BLOCK_INL_H
#endif

#include <hwy/highway.h>

#include <type_traits>

#include "kernels/cpu/amx.h"
#include "kernels/cpu/block-inl.h"
#include "kernels/cpu/int8_matrix-inl.h"
#include "kernels/cpu/int8_ways-inl.h"
#include "kernels/cpu/prefetch.h"

HWY_BEFORE_NAMESPACE();
namespace galago::kernels::cpu {
namespace HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

/// Vectors of the panels of products of weights.
constexpr int kInt8Vectors = 3;

/// Whether AMX multiplies.
template <class Way>
constexpr bool kByAmx = std::is_same_v<Way, AmxProducts> && !std::is_same_v<AmxProducts, ShortProducts>;

/// Rows of a block: as many as there are registers for sums.
template <class Way, int kVectors>
constexpr int kInt8Rows = kByAmx<Way> ? kAmxRows : kSums / kVectors / Way::kParts;

/// What the sums of a vector of a row begin at: its start, or the sums of the depths before.
HWY_INLINE hn::Vec<Ints> Int8Beginning(const Int8End& end, int64_t row, const float* sums) {
  return end.is_first ? hn::Set(Ints(), end.starts[row]) : hn::BitCast(Ints(), hn::LoadU(Floats(), sums));
}

/// sums [kRows, kVectors vectors] (+)= a [kRows, places] times panel [places][kVectors vectors]: integers,
/// and floats at the end.
template <class Way, int kRows, int kVectors, class Fetch>
HWY_NOINLINE void Int8Block(const ConstMatrix& a, const float* HWY_RESTRICT panel, const Int8End& end,
                            const Matrix& c, const Fetch& prefetch) {
  const Floats d;
  const Ints ints;
  const int64_t lanes = static_cast<int64_t>(hn::Lanes(d)), depth = a.cols, a_stride = a.stride;
  const auto* HWY_RESTRICT const rows = reinterpret_cast<const int32_t*>(a.data);
  const auto* HWY_RESTRICT weights = reinterpret_cast<const int32_t*>(panel);
  float* HWY_RESTRICT const to = c.data;
  const int64_t to_stride = c.stride;
  const Int8End own = end;  // a store through `to` does not change it
  hn::Vec<Ints> sums[kRows][kVectors][Way::kParts];
#pragma GCC unroll 12
  for (int r = 0; r < kRows; ++r)
#pragma GCC unroll 4
    for (int v = 0; v < kVectors; ++v) {
      if constexpr (Way::kParts == 1)
        sums[r][v][0] = Int8Beginning(own, r, to + r * to_stride + v * lanes);
      else  // which join in another order than that of the lanes, so that it is added afterwards
        sums[r][v][0] = sums[r][v][1] = hn::Zero(ints);
    }
  int64_t k = 0;
  for (int part = 1; part <= kParts<Fetch, kRows>; ++part) {
    prefetch.template step<kParts<Fetch, kRows>>(part - 1);
    for (const int64_t until = depth * part / kParts<Fetch, kRows>; k < until;
         ++k, weights += kVectors * lanes) {
      prefetch.next_rows(kRows, a_stride, k);
      hn::Vec<Ints> b[kVectors];
#pragma GCC unroll 4
      for (int v = 0; v < kVectors; ++v) b[v] = hn::LoadU(ints, weights + v * lanes);
#pragma GCC unroll 12
      for (int r = 0; r < kRows; ++r) {
        const auto factor = hn::Set(ints, rows[r * a_stride + k]);
#pragma GCC unroll 4
        for (int v = 0; v < kVectors; ++v) Way::Add(factor, b[v], sums[r][v]);
      }
    }
  }
  if constexpr (Way::kParts > 1) {
#pragma GCC unroll 12
    for (int r = 0; r < kRows; ++r)
#pragma GCC unroll 4
      for (int v = 0; v < kVectors; ++v)
        sums[r][v][0] = hn::Add(Way::Join(sums[r][v]), Int8Beginning(own, r, to + r * to_stride + v * lanes));
  }
  if (!own.is_last) {
#pragma GCC unroll 12
    for (int r = 0; r < kRows; ++r)
#pragma GCC unroll 4
      for (int v = 0; v < kVectors; ++v)
        hn::StoreU(hn::BitCast(d, sums[r][v][0]), d, to + r * to_stride + v * lanes);
    return;
  }
#pragma GCC unroll 4
  for (int v = 0; v < kVectors; ++v) {
    const auto column = hn::LoadU(d, own.columns + v * lanes);
#pragma GCC unroll 12
    for (int r = 0; r < kRows; ++r) {
      const auto value = hn::Mul(hn::ConvertTo(d, sums[r][v][0]), column);
      hn::StoreU(hn::Mul(value, hn::Set(d, own.factors[r])), d, to + r * to_stride + v * lanes);
    }
  }
}

/// Int8Block by AMX, for any number of rows and of panels. Rows' starts are added at the end.
template <int kVectors, class Fetch>
void Int8AmxRows(const ConstMatrix& x, const Panels& panels, const Int8End& end, const Matrix& sums,
                 const Fetch& prefetch) {
  amx_rows<AmxNumbers::bytes, kVectors>(x, panels, !end.is_first, sums, prefetch);
  if (!end.is_last) return;
  const Floats d;
  const Ints ints;
  const int64_t lanes = static_cast<int64_t>(hn::Lanes(d)), columns = panels.count * kVectors * lanes;
  for (int64_t r = 0; r < x.rows; ++r) {
    float* const to = sums.row(r);
    const auto start = hn::Set(ints, end.starts[r]);
    const auto factor = hn::Set(d, end.factors[r]);
    for (int64_t c = 0; c < columns; c += lanes) {
      const auto sum = hn::Add(hn::BitCast(ints, hn::LoadU(d, to + c)), start);
      const auto value = hn::Mul(hn::ConvertTo(d, sum), hn::LoadU(d, end.columns + c));
      hn::StoreU(hn::Mul(value, factor), d, to + c);
    }
  }
}

/// Int8Block for any number of rows.
template <class Way, int kVectors, class Fetch>
void Int8BlockRows(const ConstMatrix& x, const float* panel, const Int8End& end, const Matrix& sums,
                   const Fetch& prefetch) {
  if constexpr (kByAmx<Way>) {
    Int8AmxRows<kVectors>(x, {panel}, end, sums, prefetch);
  } else {
    int64_t row = 0;
    const auto step = [&]<int kRows>() {
      for (; row + kRows <= x.rows; row += kRows) {
        // Member by member: a copy in vectors would wait for the members that were just stored.
        const Int8End own{.factors = end.factors + row,
                          .starts = end.starts + row,
                          .columns = end.columns,
                          .is_first = end.is_first,
                          .is_last = end.is_last};
        const ConstMatrix from = x.slice_rows(row, kRows);
        const Matrix to = sums.slice_rows(row, kRows);
#if HWY_TARGET == HWY_NEON
        if constexpr (Way::kPlaces == 2)
          Int8MatrixBlock<Way, kRows, kVectors>(from, panel, own, to, prefetch);
        else
#endif
          Int8Block<Way, kRows, kVectors>(from, panel, own, to, prefetch);
      }
    };
    step.template operator()<kInt8Rows<Way, kVectors>>();
    if constexpr (kInt8Rows < Way, kVectors >> 4) step.template operator()<4>();
    step.template operator()<2>();
    step.template operator()<1>();
  }
}

}  // namespace HWY_NAMESPACE
}  // namespace galago::kernels::cpu
HWY_AFTER_NAMESPACE();
#endif
