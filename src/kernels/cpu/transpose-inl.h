// Turning rows into columns: how an operand of a product becomes a panel.
// Included once per instruction set, from Highway files only.
#if defined(GALAGO_TRANSPOSE_INL_H) == defined(HWY_TARGET_TOGGLE)
#ifdef GALAGO_TRANSPOSE_INL_H
#undef GALAGO_TRANSPOSE_INL_H
#else
#define GALAGO_TRANSPOSE_INL_H
#endif

#include <hwy/highway.h>

#include "kernels/cpu/load-inl.h"

HWY_BEFORE_NAMESPACE();
namespace galago::kernels::cpu {
namespace HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

#if HWY_TARGET != HWY_SCALAR
/// Blocks of 4 floats that lie `step` floats apart, as one vector.
template <class D>
HWY_INLINE hn::Vec<D> LoadBlocks(D d, const float* from, int64_t step) {
  if constexpr (hn::MaxLanes(D()) == 4) {
    return hn::LoadU(d, from);
  } else {
    const hn::Half<D> half;
    constexpr int64_t kBlocks = hn::MaxLanes(D()) / 8;
    return hn::Combine(d, LoadBlocks(half, from + kBlocks * step, step), LoadBlocks(half, from, step));
  }
}
#endif

/// to[k * width + r] = rows[r * stride + k] for one vector's lanes r and k < depth.
inline void Transpose(const float* HWY_RESTRICT rows, int64_t stride, int64_t depth, float* HWY_RESTRICT to,
                      int64_t width) {
  const Floats d;
  int64_t k = 0;
#if HWY_TARGET != HWY_SCALAR
  const hn::Repartition<double, Floats> pairs;
  for (; k + 4 <= depth; k += 4, to += 4 * width) {
    const auto a = LoadBlocks(d, rows + k, 4 * stride), b = LoadBlocks(d, rows + stride + k, 4 * stride);
    const auto c = LoadBlocks(d, rows + 2 * stride + k, 4 * stride);
    const auto e = LoadBlocks(d, rows + 3 * stride + k, 4 * stride);
    const auto ab0 = hn::BitCast(pairs, hn::InterleaveLower(d, a, b));  // of k and k + 1
    const auto ab2 = hn::BitCast(pairs, hn::InterleaveUpper(d, a, b));  // of k + 2 and k + 3
    const auto ce0 = hn::BitCast(pairs, hn::InterleaveLower(d, c, e));
    const auto ce2 = hn::BitCast(pairs, hn::InterleaveUpper(d, c, e));
    hn::StoreU(hn::BitCast(d, hn::InterleaveLower(pairs, ab0, ce0)), d, to);
    hn::StoreU(hn::BitCast(d, hn::InterleaveUpper(pairs, ab0, ce0)), d, to + width);
    hn::StoreU(hn::BitCast(d, hn::InterleaveLower(pairs, ab2, ce2)), d, to + 2 * width);
    hn::StoreU(hn::BitCast(d, hn::InterleaveUpper(pairs, ab2, ce2)), d, to + 3 * width);
  }
#endif
  for (; k < depth; ++k, to += width)
    for (int64_t r = 0; r < static_cast<int64_t>(hn::Lanes(d)); ++r) to[r] = rows[r * stride + k];
}

}  // namespace HWY_NAMESPACE
}  // namespace galago::kernels::cpu
HWY_AFTER_NAMESPACE();
#endif
