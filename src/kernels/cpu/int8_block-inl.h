// The heart of products in whole numbers: a block of rows times a panel of columns, whose sums stay in
// registers. Included once per instruction set, from Highway files only.
#if defined(GALAGO_INT8_BLOCK_INL_H) == defined(HWY_TARGET_TOGGLE)
#ifdef GALAGO_INT8_BLOCK_INL_H
#undef GALAGO_INT8_BLOCK_INL_H
#else
#define GALAGO_INT8_BLOCK_INL_H
#endif

#include <hwy/highway.h>

#include "kernels/cpu/block-inl.h"
#include "kernels/cpu/prefetch.h"

HWY_BEFORE_NAMESPACE();
namespace galago::kernels::cpu {
namespace HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

using Ints = hn::ScalableTag<int32_t>;

/// Vectors of the panels of products of weights.
constexpr int kInt8Vectors = 3;

// How a place of 4 bytes of x meets those of the panel's columns. kNumbers: in a place; kOffset: what is
// added to a weight; kParts: vectors that together are a sum.

#if HWY_TARGET == HWY_SCALAR

/// Two numbers of 16 bits.
struct ShortProducts {
  using Number = int16_t;
  static constexpr int64_t kNumbers = 2;
  static constexpr int32_t kOffset = 0;
  static constexpr int kParts = 1;
  static hn::Vec<Ints> Factor(int32_t x) { return hn::Set(Ints(), x); }
  static void Add(hn::Vec<Ints> x, hn::Vec<Ints> weights, hn::Vec<Ints> (&sum)[1]) {
    int16_t a[2], b[2];
    std::memcpy(a, &x.raw, sizeof a);
    std::memcpy(b, &weights.raw, sizeof b);
    sum[0].raw += a[0] * b[0] + a[1] * b[1];
  }
  static hn::Vec<Ints> Join(const hn::Vec<Ints> (&sum)[1]) { return sum[0]; }
};

#else

/// Two numbers of 16 bits.
struct ShortProducts {
  using Number = int16_t;
  static constexpr int64_t kNumbers = 2;
  static constexpr int32_t kOffset = 0;
  static constexpr int kParts = 2;
  static HWY_INLINE void Add(hn::Vec<Ints> x, hn::Vec<Ints> weights, hn::Vec<Ints> (&sum)[2]) {
    const hn::Repartition<int16_t, Ints> shorts;
    sum[0] = hn::ReorderWidenMulAccumulate(Ints(), hn::BitCast(shorts, weights), hn::BitCast(shorts, x),
                                           sum[0], sum[1]);
  }
  static HWY_INLINE hn::Vec<Ints> Join(const hn::Vec<Ints> (&sum)[2]) {
    return hn::RearrangeToOddPlusEven(sum[0], sum[1]);
  }
};

#endif

#if HWY_TARGET == HWY_AVX3

/// Four numbers of 8 bits, those of weights plus 128: AVX512_VNNI multiplies numbers without a sign by
/// numbers with one. Highway has no name for the instruction, so it is written out.
struct ByteProducts {
  using Number = uint8_t;
  static constexpr int64_t kNumbers = 4;
  static constexpr int32_t kOffset = 128;
  static constexpr int kParts = 1;
  static HWY_INLINE void Add(hn::Vec<Ints> x, hn::Vec<Ints> weights, hn::Vec<Ints> (&sum)[1]) {
    asm("vpdpbusd %2, %1, %0" : "+v"(sum[0].raw) : "v"(weights.raw), "v"(x.raw));
  }
  static HWY_INLINE hn::Vec<Ints> Join(const hn::Vec<Ints> (&sum)[1]) { return sum[0]; }
};

#else
using ByteProducts = ShortProducts;
#endif

/// Rows of a block: as many as there are registers for sums. NEON adds 16-bit products in two of them.
template <class Way, int kVectors>
constexpr int kInt8Rows = kSums / kVectors / (HWY_TARGET == HWY_NEON ? Way::kParts : 1);

/// What becomes of the sums of a block: all integers are added from the first depth to the last.
struct Int8End {
  const float* factors;   ///< of the rows
  const int32_t* starts;  ///< of the rows
  const float* columns;   ///< factors of the columns
  bool is_first;
  bool is_last;  ///< sums become floats, times both factors
};

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
      sums[r][v][0] = own.is_first ? hn::Set(ints, own.starts[r])
                                   : hn::BitCast(ints, hn::LoadU(d, to + r * to_stride + v * lanes));
      if constexpr (Way::kParts > 1) sums[r][v][1] = hn::Zero(ints);
    }
  int64_t k = 0;
  for (int part = 1; part <= kParts<Fetch, kRows>; ++part) {
    prefetch.data_row(part - 1);
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
  if (!own.is_last) {
#pragma GCC unroll 12
    for (int r = 0; r < kRows; ++r)
#pragma GCC unroll 4
      for (int v = 0; v < kVectors; ++v)
        hn::StoreU(hn::BitCast(d, Way::Join(sums[r][v])), d, to + r * to_stride + v * lanes);
    return;
  }
#pragma GCC unroll 4
  for (int v = 0; v < kVectors; ++v) {
    const auto column = hn::LoadU(d, own.columns + v * lanes);
#pragma GCC unroll 12
    for (int r = 0; r < kRows; ++r) {
      const auto value = hn::Mul(hn::ConvertTo(d, Way::Join(sums[r][v])), column);
      hn::StoreU(hn::Mul(value, hn::Set(d, own.factors[r])), d, to + r * to_stride + v * lanes);
    }
  }
}

/// The same for any number of rows.
template <class Way, int kVectors, class Fetch>
void Int8BlockRows(const ConstMatrix& x, const float* panel, const Int8End& end, const Matrix& sums,
                   const Fetch& prefetch) {
  int64_t row = 0;
  const auto step = [&]<int kRows>() {
    for (; row + kRows <= x.rows; row += kRows) {
      Int8End own = end;
      own.factors += row;
      own.starts += row;
      Int8Block<Way, kRows, kVectors>(x.slice_rows(row, kRows), panel, own, sums.slice_rows(row, kRows),
                                      prefetch);
    }
  };
  step.template operator()<kInt8Rows<Way, kVectors>>();
  if constexpr (kInt8Rows < Way, kVectors >> 4) step.template operator()<4>();
  step.template operator()<2>();
  step.template operator()<1>();
}

}  // namespace HWY_NAMESPACE
}  // namespace galago::kernels::cpu
HWY_AFTER_NAMESPACE();
#endif
