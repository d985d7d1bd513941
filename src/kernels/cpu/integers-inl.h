// The integers of products with quantised weights: how 4 weights of each row of a panel meet 4 numbers of x,
// and in which order those lie. Included once per instruction set, from Highway files only.
#if defined(GALAGO_INTEGERS_INL_H) == defined(HWY_TARGET_TOGGLE)
#ifdef GALAGO_INTEGERS_INL_H
#undef GALAGO_INTEGERS_INL_H
#else
#define GALAGO_INTEGERS_INL_H
#endif

#include <hwy/highway.h>

#include <cstring>
#include <utility>

#include "kernels/cpu/quant.h"
#include "kernels/kernels.h"

HWY_BEFORE_NAMESPACE();
namespace galago::kernels::cpu {
namespace HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

#if HWY_TARGET != HWY_SCALAR

// A lane is a row of the panel; its 4 bytes are weights from 0 to 255.
using Ints = hn::ScalableTag<int32_t>;
using Fours = hn::Repartition<uint8_t, Ints>;

/// Two sums that together are a row's. (No struct: its constructor would belong to no instruction set.)
using TwoSums = hn::Vec<Ints>[2];

/// Weights become 16-bit integers, whose products with those of x are added in pairs.
struct InShorts {
  /// Adds the products with the four numbers of x at x[2 i] and x[2 i + 1].
  static HWY_INLINE void Add(hn::Vec<Fours> weights, const int32_t* x, int64_t i, TwoSums& sums) {
    const hn::Repartition<int16_t, Ints> shorts;
    const hn::Repartition<uint16_t, Ints> pairs;
    const auto both = hn::BitCast(pairs, weights);
    const auto even = hn::BitCast(shorts, hn::And(both, hn::Set(pairs, 255)));
    const auto odd = hn::BitCast(shorts, hn::ShiftRight<8>(both));
    const auto two = [&](int64_t at) { return hn::BitCast(shorts, hn::Set(Ints(), x[at])); };
    sums[0] = hn::ReorderWidenMulAccumulate(Ints(), even, two(2 * i), sums[0], sums[1]);
    sums[0] = hn::ReorderWidenMulAccumulate(Ints(), odd, two(2 * i + 1), sums[0], sums[1]);
  }
  static HWY_INLINE hn::Vec<Ints> Join(const TwoSums& sums) {
    return hn::RearrangeToOddPlusEven(sums[0], sums[1]);
  }
  /// A group's numbers: of each four the even ones, then the odd ones.
  static void Store(int16_t (&numbers)[kWeightGroup], int32_t* to) {
    for (int64_t c = 0; c < kWeightGroup; c += 4) std::swap(numbers[c + 1], numbers[c + 2]);
    std::memcpy(to, numbers, sizeof numbers);
  }
};

#if HWY_TARGET == HWY_AVX3

/// With AVX512_VNNI: four products of bytes are added at once to a lane, weights without and x with a sign. A
/// number of x is 256 times a high byte plus a low one, both from -128 to 127. Highway has no name for the
/// instruction, and no instruction set that promises it, so it is written out.
struct InBytes {
  static HWY_INLINE void AddFour(hn::Vec<Fours> weights, const int32_t& x, hn::Vec<Ints>& sum) {
    asm("vpdpbusd %2%{1to16%}, %1, %0" : "+v"(sum.raw) : "v"(weights.raw), "m"(x));
  }
  /// Adds the products with the four numbers of x whose high bytes are x[i] and whose low ones x[i + 8].
  static HWY_INLINE void Add(hn::Vec<Fours> weights, const int32_t* x, int64_t i, TwoSums& sums) {
    AddFour(weights, x[i], sums[0]);
    AddFour(weights, x[i + kWeightGroup / 4], sums[1]);
  }
  static HWY_INLINE hn::Vec<Ints> Join(const TwoSums& sums) {
    return hn::Add(hn::ShiftLeft<8>(sums[0]), sums[1]);
  }
  /// A group's numbers: their high bytes, then their low ones.
  static void Store(int16_t (&numbers)[kWeightGroup], int32_t* to) {
    const hn::Full512<int16_t> d;
    const hn::Rebind<int8_t, decltype(d)> narrow;
    const auto values = hn::LoadU(d, numbers);
    const auto low = hn::ShiftRight<8>(hn::ShiftLeft<8>(values));
    auto* const bytes = reinterpret_cast<int8_t*>(to);
    hn::StoreU(hn::DemoteTo(narrow, hn::ShiftRight<8>(hn::Sub(values, low))), narrow, bytes);
    hn::StoreU(hn::DemoteTo(narrow, low), narrow, bytes + kWeightGroup);
  }
};

#else
using InBytes = InShorts;
#endif
#endif

}  // namespace HWY_NAMESPACE
}  // namespace galago::kernels::cpu
HWY_AFTER_NAMESPACE();
#endif
