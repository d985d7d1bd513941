// How whole numbers of 8 bits are multiplied, instruction by instruction, and what becomes of the sums.
// Included once per instruction set, from Highway files only.
#if defined(GALAGO_INT8_WAYS_INL_H) == defined(HWY_TARGET_TOGGLE)
#ifdef GALAGO_INT8_WAYS_INL_H
#undef GALAGO_INT8_WAYS_INL_H
#else
#define GALAGO_INT8_WAYS_INL_H
#endif

#include <hwy/highway.h>

#include <cstring>

#include "kernels/cpu/amx.h"
#include "kernels/cpu/instructions.h"
#include "kernels/cpu/int8.h"

HWY_BEFORE_NAMESPACE();
namespace galago::kernels::cpu {
namespace HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

using Ints = hn::ScalableTag<int32_t>;

// How a place of 4 bytes of x meets those of the panel's columns. kNumbers: in a place; kPlaces: how many of
// a row an instruction takes; kOffset: what is added to a weight; kParts: vectors that together are a sum.
// Has(): whether the processor has the instruction and may use it.

#if HWY_TARGET == HWY_SCALAR

/// Two numbers of 16 bits.
struct ShortProducts {
  using Number = int16_t;
  static constexpr int64_t kNumbers = 2, kPlaces = 1;
  static constexpr int32_t kOffset = 0;
  static constexpr int kParts = 1;
  static bool Has() { return true; }
  static void Add(hn::Vec<Ints> x, hn::Vec<Ints> weights, hn::Vec<Ints> (&sum)[1]) {
    int16_t a[2], b[2];
    std::memcpy(a, &x.raw, sizeof a);
    std::memcpy(b, &weights.raw, sizeof b);
    sum[0].raw += a[0] * b[0] + a[1] * b[1];
  }
};

#else

/// Two numbers of 16 bits. NEON keeps the sums of a vector's lower and upper halves apart.
struct ShortProducts {
  using Number = int16_t;
  static constexpr int64_t kNumbers = 2, kPlaces = 1;
  static constexpr int32_t kOffset = 0;
  static constexpr int kParts = HWY_TARGET == HWY_NEON ? 2 : 1;
  static bool Has() { return true; }
  static HWY_INLINE void Add(hn::Vec<Ints> x, hn::Vec<Ints> weights, hn::Vec<Ints> (&sum)[kParts]) {
    const hn::Repartition<int16_t, Ints> shorts;
    auto none = hn::Zero(Ints());
    sum[0] = hn::ReorderWidenMulAccumulate(Ints(), hn::BitCast(shorts, weights), hn::BitCast(shorts, x),
                                           sum[0], kParts > 1 ? sum[kParts - 1] : none);
  }
  static HWY_INLINE hn::Vec<Ints> Join(const hn::Vec<Ints> (&sum)[2]) {
    return hn::RearrangeToOddPlusEven(sum[0], sum[1]);
  }
};

#endif

// Highway has no names for the instructions below, so they are written out.

#if HWY_TARGET == HWY_AVX3 || HWY_TARGET == HWY_AVX2

/// Four numbers of 8 bits, those of weights plus 128: the instruction multiplies numbers without a sign by
/// numbers with one.
struct UnsignedByteProducts {
  using Number = uint8_t;
  static constexpr int64_t kNumbers = 4, kPlaces = 1;
  static constexpr int32_t kOffset = 128;
  static constexpr int kParts = 1;
};

#endif

#if HWY_TARGET == HWY_AVX3

/// By AVX512_VNNI.
struct ByteProducts : UnsignedByteProducts {
  static bool Has() { return can_use(Instructions::avx512_vnni); }
  static HWY_INLINE void Add(hn::Vec<Ints> x, hn::Vec<Ints> weights, hn::Vec<Ints> (&sum)[1]) {
    asm("vpdpbusd %2, %1, %0" : "+v"(sum[0].raw) : "v"(weights.raw), "v"(x.raw));
  }
};
/// By AMX, whose blocks are in int8_block-inl.h.
struct AmxProducts : UnsignedByteProducts {
  static bool Has() { return has_amx(); }
};
using EvexByteProducts = ShortProducts;
using MatrixProducts = ShortProducts;

#elif HWY_TARGET == HWY_AVX2

/// By AVX_VNNI, whose instruction is that of AVX512_VNNI in AVX2's encoding.
struct ByteProducts : UnsignedByteProducts {
  static bool Has() { return can_use(Instructions::avx_vnni); }
  static HWY_INLINE void Add(hn::Vec<Ints> x, hn::Vec<Ints> weights, hn::Vec<Ints> (&sum)[1]) {
    asm("%{vex%} vpdpbusd %2, %1, %0" : "+x"(sum[0].raw) : "x"(weights.raw), "x"(x.raw));
  }
};
/// The same in AVX-512's encoding: processors that have only this one can show what the other will do.
struct EvexByteProducts : UnsignedByteProducts {
  static bool Has() { return can_use_evex_for_avx_vnni(); }
  static HWY_INLINE void Add(hn::Vec<Ints> x, hn::Vec<Ints> weights, hn::Vec<Ints> (&sum)[1]) {
    asm("%{evex%} vpdpbusd %2, %1, %0" : "+x"(sum[0].raw) : "x"(weights.raw), "x"(x.raw));
  }
};
using MatrixProducts = ShortProducts;

#elif HWY_TARGET == HWY_NEON && HWY_ARCH_ARM_A64

// An assembler takes the names of these two only for an architecture that the rest of the file must not be
// compiled for. So they are numbers, and those of registers are found by their names.
#define GALAGO_INT8_INSTRUCTION(number)                                                            \
  ".irp r,0,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17,18,19,20,21,22,23,24,25,26,27,28,29,30,31\n" \
  ".equ .Lgalago_v\\r,\\r\n"                                                                       \
  ".endr\n"                                                                                        \
  ".inst " number " + (.Lgalago_%2 << 16) + (.Lgalago_%1 << 5) + .Lgalago_%0"

/// Four numbers of 8 bits, by the dot product.
struct ByteProducts {
  using Number = int8_t;
  static constexpr int64_t kNumbers = 4, kPlaces = 1;
  static constexpr int32_t kOffset = 0;
  static constexpr int kParts = 1;
  static bool Has() { return can_use(Instructions::dotprod); }
  static HWY_INLINE void Add(hn::Vec<Ints> x, hn::Vec<Ints> weights, hn::Vec<Ints> (&sum)[1]) {
    asm(GALAGO_INT8_INSTRUCTION("0x4e809400" /* sdot %0.4s, %1.16b, %2.16b */)
        : "+w"(sum[0].raw)
        : "w"(weights.raw), "w"(x.raw));
  }
};
/// Eight numbers of 8 bits of each of two rows, by eight of each of two columns: four sums in a vector, by
/// i8mm.
struct MatrixProducts : ByteProducts {
  static constexpr int64_t kPlaces = 2;
  static bool Has() { return can_use(Instructions::i8mm); }
  static HWY_INLINE void Add(hn::Vec<Ints> x, hn::Vec<Ints> weights, hn::Vec<Ints> (&sum)[1]) {
    asm(GALAGO_INT8_INSTRUCTION("0x4e80a400" /* smmla %0.4s, %1.16b, %2.16b */)
        : "+w"(sum[0].raw)
        : "w"(x.raw), "w"(weights.raw));
  }
};
using EvexByteProducts = ShortProducts;

#undef GALAGO_INT8_INSTRUCTION

#else
using ByteProducts = ShortProducts;
using EvexByteProducts = ShortProducts;
using MatrixProducts = ShortProducts;
#endif
#if HWY_TARGET != HWY_AVX3
using AmxProducts = ShortProducts;
#endif

/// body(products) of that way; ShortProducts where this instruction set has no such way.
template <class Body>
auto WithWay(Int8Way way, const Body& body) {
  switch (way) {
    case Int8Way::bytes:
      return body(ByteProducts());
    case Int8Way::evex_bytes:
      return body(EvexByteProducts());
    case Int8Way::matrices:
      return body(MatrixProducts());
    case Int8Way::amx:
      return body(AmxProducts());
    case Int8Way::shorts:
      break;
  }
  return body(ShortProducts());
}

/// What becomes of the sums of a block: all integers are added from the first depth to the last.
struct Int8End {
  const float* factors;   ///< of the rows
  const int32_t* starts;  ///< of the rows
  const float* columns;   ///< factors of the columns
  bool is_first;
  bool is_last;  ///< sums become floats, times both factors
};

}  // namespace HWY_NAMESPACE
}  // namespace galago::kernels::cpu
HWY_AFTER_NAMESPACE();
#endif
