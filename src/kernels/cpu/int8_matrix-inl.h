// The block of int8_block-inl.h where one instruction multiplies two rows by two columns (on Arm: i8mm).
// Included once per instruction set, from Highway files only.
#if defined(GALAGO_INT8_MATRIX_INL_H) == defined(HWY_TARGET_TOGGLE)
#ifdef GALAGO_INT8_MATRIX_INL_H
#undef GALAGO_INT8_MATRIX_INL_H
#else
#define GALAGO_INT8_MATRIX_INL_H
#endif

#include <hwy/highway.h>

#include <algorithm>

#include "kernels/cpu/int8_ways-inl.h"
#include "kernels/cpu/load-inl.h"
#include "kernels/cpu/prefetch.h"

HWY_BEFORE_NAMESPACE();
namespace galago::kernels::cpu {
namespace HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

#if HWY_TARGET == HWY_NEON

/// Puts places k and k + 1 of each column of a panel [depth][width] side by side: of two columns in a vector
/// of row k, of the next two in the one below it.
inline void PairPlaces(float* HWY_RESTRICT panel, int64_t depth, int64_t width) {
  const Floats d;
  const int64_t lanes = static_cast<int64_t>(hn::Lanes(d));
  for (int64_t k = 0; k < depth; k += 2, panel += 2 * width)
    for (int64_t c = 0; c < width; c += lanes) {
      const auto even = hn::LoadU(d, panel + c), odd = hn::LoadU(d, panel + width + c);
      hn::StoreU(hn::InterleaveLower(d, even, odd), d, panel + c);
      hn::StoreU(hn::InterleaveUpper(d, even, odd), d, panel + width + c);
    }
}

/// As Int8Block, where an instruction takes two places of two rows and two columns. Those of the panel lie
/// side by side (PairPlaces). Each pair of sums[..][v] holds the first row's first two columns and then the
/// second row's, and the same of its last two columns: halves change places on the way from and to memory.
template <class Way, int kRows, int kVectors, class Fetch>
HWY_NOINLINE void Int8MatrixBlock(const ConstMatrix& a, const float* HWY_RESTRICT panel, const Int8End& end,
                                  const Matrix& c, const Fetch& prefetch) {
  static_assert(Way::kOffset == 0);  // so sums begin at zero
  constexpr int kPairs = (kRows + 1) / 2;
  const Floats d;
  const Ints ints;
  const hn::Half<Ints> half;
  const hn::Repartition<int64_t, Ints> halves;
  const int64_t lanes = static_cast<int64_t>(hn::Lanes(d)), depth = a.cols, a_stride = a.stride;
  const auto* HWY_RESTRICT const rows = reinterpret_cast<const int32_t*>(a.data);
  const auto* HWY_RESTRICT weights = reinterpret_cast<const int32_t*>(panel);
  const Int8End own = end;
  const auto second = [](int pair) { return std::min(2 * pair + 1, kRows - 1); };  // one row is its own other
  hn::Vec<Ints> sums[kPairs][kVectors][2][1];
#pragma GCC unroll 4
  for (int p = 0; p < kPairs; ++p)
#pragma GCC unroll 4
    for (int v = 0; v < kVectors; ++v) {
      auto low = hn::Zero(halves), high = low;
      if (!own.is_first) {
        low = hn::BitCast(halves, hn::LoadU(d, c.row(2 * p) + v * lanes));
        high = hn::BitCast(halves, hn::LoadU(d, c.row(second(p)) + v * lanes));
      }
      sums[p][v][0][0] = hn::BitCast(ints, hn::InterleaveLower(halves, low, high));
      sums[p][v][1][0] = hn::BitCast(ints, hn::InterleaveUpper(halves, low, high));
    }
  int64_t k = 0;
  for (int part = 1; part <= kParts<Fetch, kRows>; ++part) {
    prefetch.template step<kParts<Fetch, kRows>>(part - 1);
    for (const int64_t until = depth / 2 * part / kParts<Fetch, kRows> * 2; k < until;
         k += 2, weights += 2 * kVectors * lanes) {
      prefetch.next_rows(kRows, a_stride, k);
      prefetch.next_rows(kRows, a_stride, k + 1);
      hn::Vec<Ints> b[kVectors][2];
#pragma GCC unroll 4
      for (int v = 0; v < kVectors; ++v) {
        b[v][0] = hn::LoadU(ints, weights + v * lanes);
        b[v][1] = hn::LoadU(ints, weights + (kVectors + v) * lanes);
      }
#pragma GCC unroll 4
      for (int p = 0; p < kPairs; ++p) {
        const auto x = hn::Combine(ints, hn::LoadU(half, rows + second(p) * a_stride + k),
                                   hn::LoadU(half, rows + 2 * p * a_stride + k));
#pragma GCC unroll 4
        for (int v = 0; v < kVectors; ++v) {
          Way::Add(x, b[v][0], sums[p][v][0]);
          Way::Add(x, b[v][1], sums[p][v][1]);
        }
      }
    }
  }
#pragma GCC unroll 4
  for (int v = 0; v < kVectors; ++v) {
    const auto column = hn::LoadU(d, own.columns + v * lanes);
#pragma GCC unroll 12
    for (int r = 0; r < kRows; ++r) {
      const auto low = hn::BitCast(halves, sums[r / 2][v][0][0]);
      const auto high = hn::BitCast(halves, sums[r / 2][v][1][0]);
      const auto sum = hn::BitCast(
          ints, r % 2 == 0 ? hn::InterleaveLower(halves, low, high) : hn::InterleaveUpper(halves, low, high));
      const auto value = hn::Mul(hn::Mul(hn::ConvertTo(d, sum), column), hn::Set(d, own.factors[r]));
      hn::StoreU(own.is_last ? value : hn::BitCast(d, sum), d, c.row(r) + v * lanes);
    }
  }
}

#endif

}  // namespace HWY_NAMESPACE
}  // namespace galago::kernels::cpu
HWY_AFTER_NAMESPACE();
#endif
