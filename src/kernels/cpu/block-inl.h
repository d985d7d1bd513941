// The heart of every product with packed operands: a block of rows times a panel of columns, whose sums stay
// in registers. Included once per instruction set, from Highway files only.
#if defined(GALAGO_BLOCK_INL_H) == defined(HWY_TARGET_TOGGLE)
#ifdef GALAGO_BLOCK_INL_H
#undef GALAGO_BLOCK_INL_H
#else
#define GALAGO_BLOCK_INL_H
#endif

#include <hwy/highway.h>

#include "kernels/cpu/load-inl.h"
#include "kernels/cpu/prefetch.h"

HWY_BEFORE_NAMESPACE();
namespace galago::kernels::cpu {
namespace HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

// Of 32 registers 24 hold sums, of 16 twelve; a panel's row and one factor take the others.
#if HWY_TARGET == HWY_AVX3 || HWY_TARGET == HWY_AVX3_DL || HWY_TARGET == HWY_NEON
constexpr int kSums = 24;
#else
constexpr int kSums = 12;
#endif

/// c [kRows, kVectors vectors] = a [kRows, depth] times panel [depth][kVectors vectors], added to c on
/// request.
template <int kRows, int kVectors, class Fetch>
HWY_NOINLINE void Block(const ConstMatrix& a, const float* HWY_RESTRICT panel, bool accumulate,
                        const Matrix& c, const Fetch& prefetch) {
  static_assert(kRows * kVectors <= kSums);
  const Floats d;
  const int64_t lanes = static_cast<int64_t>(hn::Lanes(d)), depth = a.cols, a_stride = a.stride;
  const float* HWY_RESTRICT const rows = a.data;
  hn::Vec<Floats> sums[kRows][kVectors];
#pragma GCC unroll 12
  for (int r = 0; r < kRows; ++r)
#pragma GCC unroll 4
    for (int v = 0; v < kVectors; ++v)
      sums[r][v] = accumulate ? hn::LoadU(d, c.row(r) + v * lanes) : hn::Zero(d);
  int64_t k = 0;
  for (int part = 1; part <= kParts<Fetch, kRows>; ++part) {
    prefetch.template step<kParts<Fetch, kRows>>(part - 1);
    for (const int64_t end = depth * part / kParts<Fetch, kRows>; k < end; ++k, panel += kVectors * lanes) {
      prefetch.next_rows(kRows, a_stride, k);
      hn::Vec<Floats> b[kVectors];
#pragma GCC unroll 4
      for (int v = 0; v < kVectors; ++v) b[v] = hn::LoadU(d, panel + v * lanes);
#pragma GCC unroll 12
      for (int r = 0; r < kRows; ++r) {
        const auto factor = hn::Set(d, rows[r * a_stride + k]);
#pragma GCC unroll 4
        for (int v = 0; v < kVectors; ++v) sums[r][v] = hn::MulAdd(factor, b[v], sums[r][v]);
      }
    }
  }
#pragma GCC unroll 12
  for (int r = 0; r < kRows; ++r)
#pragma GCC unroll 4
    for (int v = 0; v < kVectors; ++v) hn::StoreU(sums[r][v], d, c.row(r) + v * lanes);
}

}  // namespace HWY_NAMESPACE
}  // namespace galago::kernels::cpu
HWY_AFTER_NAMESPACE();
#endif
