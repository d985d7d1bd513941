// The integers of products with quantised weights: how a vector of weights is read, how it meets 16-bit
// numbers of x, and in which order these lie. Included once per instruction set, from Highway files only.
#if defined(GALAGO_INTEGERS_INL_H) == defined(HWY_TARGET_TOGGLE)
#ifdef GALAGO_INTEGERS_INL_H
#undef GALAGO_INTEGERS_INL_H
#else
#define GALAGO_INTEGERS_INL_H
#endif

#include <hwy/highway.h>

#include "kernels/kernels.h"

HWY_BEFORE_NAMESPACE();
namespace galago::kernels::cpu {
namespace HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

#if HWY_TARGET != HWY_SCALAR

// A span is as many groups as a vector has floats. Its weights fill a few vectors of bytes, the chunks; in a
// chunk each 32-bit lane belongs to one group.
constexpr int64_t kVector = static_cast<int64_t>(hn::MaxLanes(hn::ScalableTag<uint8_t>()));
constexpr int64_t kSpan = kVector / 4;
constexpr int64_t kHalf = kWeightGroup / 2;

using Ints = hn::ScalableTag<int32_t>;

/// The vector, which the compiler may not load a second time instead of keeping it: weights are not aligned
/// to vectors, so that every other load touches two cache lines.
template <class V>
HWY_INLINE V Keep(V v) {
#if HWY_ARCH_X86
  asm("" : "+v"(v.raw));
#endif
  return v;
}

/// Weights become 16-bit integers, whose products with those of x are added in pairs.
struct InShorts {
  using D = hn::ScalableTag<int16_t>;
  using Part = hn::Vec<D>;  // of the weights of a chunk
  static constexpr int64_t kLanes = kVector / 2;

  /// For each lane the sum of w * x of a chunk.
  template <int kParts>
  static HWY_INLINE hn::Vec<Ints> Products(const Part (&weights)[kParts], const int16_t* x) {
    auto sum = hn::Zero(Ints()), rest = hn::Zero(Ints());
    for (int p = 0; p < kParts; ++p)
      sum = hn::ReorderWidenMulAccumulate(Ints(), weights[p], hn::LoadU(D(), x + p * kLanes), sum, rest);
    return hn::Add(sum, rest);  // of the instruction sets that divide the pairs between two sums
  }

  /// Puts a group's 32 integers where Products finds them: part 2 q + p holds of the group's p-th piece the
  /// even columns (q = 0) or the odd ones.
  template <int kParts>
  static void StoreGroup(const int16_t* integers, int64_t group, int16_t* x) {
    constexpr int kPieces = kParts / 2;
    constexpr int64_t kCols = kWeightGroup / kPieces;  // of a piece, a byte each
    const hn::Full128<int16_t> eight;
    for (int64_t c = 0; c < kWeightGroup; c += 16) {
      const int64_t byte = group * kCols + c % kCols;
      const auto a = hn::LoadU(eight, integers + c), b = hn::LoadU(eight, integers + c + 8);
      int16_t* const to = x + byte / kVector * kParts * kLanes + c / kCols * kLanes + byte % kVector / 2;
      hn::StoreU(hn::ConcatEven(eight, b, a), eight, to);
      hn::StoreU(hn::ConcatOdd(eight, b, a), eight, to + kPieces * kLanes);
    }
  }
};

/// int8, 32 bytes a group.
struct Q8 : InShorts {
  static constexpr int64_t kGroupBytes = kWeightGroup;
  static constexpr int kParts = 2;  // even and odd columns

  static HWY_INLINE void Load(const std::byte* from, Part (&parts)[kParts]) {
    const auto pairs = Keep(hn::LoadU(D(), reinterpret_cast<const int16_t*>(from)));
    parts[0] = hn::ShiftRight<8>(hn::ShiftLeft<8>(pairs));
    parts[1] = hn::ShiftRight<8>(pairs);
  }
};

/// 4-bit pairs, 16 bytes a group.
struct Q4 : InShorts {
  static constexpr int64_t kGroupBytes = kHalf;
  static constexpr int kParts = 4;  // even columns below 16, from 16 on, odd ones below 16, from 16 on

  static HWY_INLINE void Load(const std::byte* from, Part (&parts)[kParts]) {
    const hn::ScalableTag<uint16_t> d;
    const auto low = hn::Set(d, 15);
    const auto quads = Keep(hn::LoadU(d, reinterpret_cast<const uint16_t*>(from)));
    parts[0] = hn::BitCast(D(), hn::And(quads, low));
    parts[1] = hn::BitCast(D(), hn::And(hn::ShiftRight<4>(quads), low));
    parts[2] = hn::BitCast(D(), hn::And(hn::ShiftRight<8>(quads), low));
    parts[3] = hn::BitCast(D(), hn::ShiftRight<12>(quads));
  }
};

#if HWY_TARGET == HWY_AVX3

/// With AVX512_VNNI: four products of bytes are added at once to a lane, weights without and x with a sign. A
/// number of x is 256 times a high byte plus a low one, both from -128 to 127. Highway has no name for the
/// instruction, and no instruction set that promises it, so it is written out.
struct InBytes {
  using D = hn::ScalableTag<uint8_t>;
  using Part = hn::Vec<D>;

  static HWY_INLINE Part LoadPart(const std::byte* from) {
    return hn::LoadU(D(), reinterpret_cast<const uint8_t*>(from));
  }

  static HWY_INLINE hn::Vec<Ints> AddProducts(hn::Vec<Ints> sum, Part weights, const std::byte* x) {
    asm("vpdpbusd %2, %1, %0"
        : "+v"(sum.raw)
        : "v"(weights.raw), "m"(*reinterpret_cast<const __m512i_u*>(x)));
    return sum;
  }

  /// For each lane the sum of w * x of a chunk; x: the high bytes of all parts, then the low ones.
  template <int kParts>
  static HWY_INLINE hn::Vec<Ints> Products(const Part (&weights)[kParts], const int16_t* x) {
    const auto* bytes = reinterpret_cast<const std::byte*>(x);
    auto sum = hn::Zero(Ints());
    for (int p = 0; p < kParts; ++p, bytes += kVector) sum = AddProducts(sum, weights[p], bytes);
    sum = hn::ShiftLeft<8>(sum);
    for (int p = 0; p < kParts; ++p, bytes += kVector) sum = AddProducts(sum, weights[p], bytes);
    return sum;
  }

  /// Puts a group's 32 integers where Products finds them.
  template <int kParts>
  static void StoreGroup(const int16_t* integers, int64_t group, int16_t* x) {
    constexpr int64_t kBytes = kWeightGroup / kParts, kGroups = kVector / kBytes;  // of a part; of a chunk
    const hn::CappedTag<int16_t, kBytes> d;
    const hn::Rebind<int8_t, decltype(d)> narrow;
    auto* to =
        reinterpret_cast<int8_t*>(x) + group / kGroups * 2 * kParts * kVector + group % kGroups * kBytes;
    for (int p = 0; p < kParts; ++p, to += kVector) {
      const auto values = hn::LoadU(d, integers + p * kBytes);
      const auto low = hn::ShiftRight<8>(hn::ShiftLeft<8>(values));
      hn::StoreU(hn::DemoteTo(narrow, hn::ShiftRight<8>(hn::Sub(values, low))), narrow, to);
      hn::StoreU(hn::DemoteTo(narrow, low), narrow, to + kParts * kVector);
    }
  }
};

struct Q4Bytes : InBytes {
  static constexpr int64_t kGroupBytes = kHalf;
  static constexpr int kParts = 2;  // columns below 16, from 16 on

  static HWY_INLINE void Load(const std::byte* from, Part (&parts)[kParts]) {
    const hn::ScalableTag<uint16_t> pairs;
    const auto low = hn::Set(D(), uint8_t{15});
    const auto both = Keep(LoadPart(from));
    parts[0] = hn::And(both, low);
    parts[1] = hn::And(hn::BitCast(D(), hn::ShiftRight<4>(hn::BitCast(pairs, both))), low);
  }
};

#else
using Q4Bytes = Q4;
#endif
#endif

}  // namespace HWY_NAMESPACE
}  // namespace galago::kernels::cpu
HWY_AFTER_NAMESPACE();
#endif
