// Reading the element types of checkpoints as vectors of floats; memory need not be aligned.
// Included once per instruction set, from Highway files only.
#if defined(GALAGO_LOAD_INL_H) == defined(HWY_TARGET_TOGGLE)
#ifdef GALAGO_LOAD_INL_H
#undef GALAGO_LOAD_INL_H
#else
#define GALAGO_LOAD_INL_H
#endif

#include <hwy/highway.h>

#include <bit>
#include <cstring>

#include "core/half.h"
#include "core/tensor.h"

HWY_BEFORE_NAMESPACE();
namespace galago::kernels::cpu {
namespace HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

using Floats = hn::ScalableTag<float>;

/// Elements of a tensor in a file, by type: how many bytes they take and how to read a vector of them.
struct F32 {
  static constexpr int64_t kBytes = 4;
  static HWY_INLINE hn::Vec<Floats> Load(const std::byte* from) {
    return hn::LoadU(Floats(), reinterpret_cast<const float*>(from));
  }
  /// Two vectors in the order of memory.
  static HWY_INLINE void LoadTwo(const std::byte* from, hn::Vec<Floats>& a, hn::Vec<Floats>& b) {
    a = Load(from);
    b = Load(from + static_cast<int64_t>(hn::Lanes(Floats())) * kBytes);
  }
  static float One(const std::byte* from) {
    float value;
    std::memcpy(&value, from, sizeof value);
    return value;
  }
};

struct Bf16 {
  static constexpr int64_t kBytes = 2;
  static HWY_INLINE hn::Vec<Floats> Load(const std::byte* from) {
    const hn::RebindToUnsigned<Floats> wide;
    const hn::Rebind<uint16_t, Floats> narrow;
    const auto bits = hn::LoadU(narrow, reinterpret_cast<const uint16_t*>(from));
    return hn::BitCast(Floats(), hn::ShiftLeft<16>(hn::PromoteTo(wide, bits)));
  }
  /// Two vectors, the even elements and the odd ones: half the work of keeping their order.
  static HWY_INLINE void LoadTwo(const std::byte* from, hn::Vec<Floats>& even, hn::Vec<Floats>& odd) {
    const hn::RebindToUnsigned<Floats> wide;
    const auto bits = hn::LoadU(wide, reinterpret_cast<const uint32_t*>(from));
    even = hn::BitCast(Floats(), hn::ShiftLeft<16>(bits));
    odd = hn::BitCast(Floats(), hn::And(bits, hn::Set(wide, 0xffff0000U)));
  }
  static float One(const std::byte* from) {
    uint16_t bits;
    std::memcpy(&bits, from, sizeof bits);
    return std::bit_cast<float>(static_cast<uint32_t>(bits) << 16);
  }
};

struct F16 {
  static constexpr int64_t kBytes = 2;
  static HWY_INLINE hn::Vec<Floats> Load(const std::byte* from) {
    const hn::Rebind<uint16_t, Floats> narrow;
    const auto bits = hn::LoadU(narrow, reinterpret_cast<const uint16_t*>(from));
#if HWY_TARGET < HWY_SSE4 || HWY_TARGET == HWY_NEON
    const hn::Rebind<hwy::float16_t, Floats> half;
    return hn::PromoteTo(Floats(), hn::BitCast(half, bits));
#else  // no instruction: exponent and fraction in their places, 2^112 too small, which makes subnormals exact
    const hn::RebindToSigned<Floats> wide;
    const auto word = hn::PromoteTo(wide, bits);
    const auto size = hn::ShiftLeft<13>(hn::And(word, hn::Set(wide, 0x7fff)));
    const auto number = hn::Mul(hn::BitCast(Floats(), size), hn::Set(Floats(), 0x1p112f));
    const auto strange = hn::VecFromMask(wide, hn::Gt(size, hn::Set(wide, 0x0f7fffff)));  // infinity, NaN
    const auto sign = hn::ShiftLeft<16>(hn::And(word, hn::Set(wide, 0x8000)));
    return hn::BitCast(Floats(), hn::Or(hn::Or(hn::BitCast(wide, number), sign),
                                        hn::And(strange, hn::Set(wide, 0x7f800000))));
#endif
  }
  static HWY_INLINE void LoadTwo(const std::byte* from, hn::Vec<Floats>& a, hn::Vec<Floats>& b) {
    a = Load(from);
    b = Load(from + static_cast<int64_t>(hn::Lanes(Floats())) * kBytes);
  }
  static float One(const std::byte* from) {
    uint16_t bits;
    std::memcpy(&bits, from, sizeof bits);
    return from_f16(bits);
  }
};

}  // namespace HWY_NAMESPACE
}  // namespace galago::kernels::cpu
HWY_AFTER_NAMESPACE();
#endif
