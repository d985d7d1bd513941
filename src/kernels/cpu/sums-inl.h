// The sums of the lanes of four vectors, added crosswise: how products of few rows end.
// Included once per instruction set, from Highway files only.
#if defined(GALAGO_SUMS_INL_H) == defined(HWY_TARGET_TOGGLE)
#ifdef GALAGO_SUMS_INL_H
#undef GALAGO_SUMS_INL_H
#else
#define GALAGO_SUMS_INL_H
#endif

#include <hwy/highway.h>

#include "kernels/cpu/load-inl.h"

HWY_BEFORE_NAMESPACE();
namespace galago::kernels::cpu {
namespace HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

#if HWY_TARGET != HWY_SCALAR
/// The sum of all blocks of 4 lanes.
template <class D>
HWY_INLINE hn::Vec<hn::CappedTag<float, 4>> SumOfBlocks([[maybe_unused]] D d, hn::Vec<D> v) {
  if constexpr (hn::MaxLanes(D()) <= 4) {
    return v;
  } else {
    const hn::Half<D> half;
    return SumOfBlocks(half, hn::Add(hn::LowerHalf(half, v), hn::UpperHalf(half, v)));
  }
}
#endif

/// to[0..4) = the sums of the lanes of a, b, c and e.
HWY_INLINE void StoreSums(hn::Vec<Floats> a, hn::Vec<Floats> b, hn::Vec<Floats> c, hn::Vec<Floats> e,
                          float* HWY_RESTRICT to) {
#if HWY_TARGET == HWY_SCALAR
  to[0] = hn::GetLane(a);
  to[1] = hn::GetLane(b);
  to[2] = hn::GetLane(c);
  to[3] = hn::GetLane(e);
#else
  const Floats d;
  const hn::Repartition<double, Floats> pairs;
  const auto fold = [&](auto x, auto y) {
    return hn::BitCast(pairs, hn::Add(hn::InterleaveLower(d, x, y), hn::InterleaveUpper(d, x, y)));
  };
  const auto ab = fold(a, b), ce = fold(c, e);
  const auto blocks = hn::Add(hn::BitCast(d, hn::InterleaveLower(pairs, ab, ce)),
                              hn::BitCast(d, hn::InterleaveUpper(pairs, ab, ce)));
  hn::StoreU(SumOfBlocks(d, blocks), hn::CappedTag<float, 4>(), to);
#endif
}

}  // namespace HWY_NAMESPACE
}  // namespace galago::kernels::cpu
HWY_AFTER_NAMESPACE();
#endif
