// Rows of numbers as whole numbers of 8 bits. Included once per instruction set, from Highway files only.
#if defined(GALAGO_INT8_ROWS_INL_H) == defined(HWY_TARGET_TOGGLE)
#ifdef GALAGO_INT8_ROWS_INL_H
#undef GALAGO_INT8_ROWS_INL_H
#else
#define GALAGO_INT8_ROWS_INL_H
#endif

#include <hwy/highway.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <limits>
#include <type_traits>

#include "kernels/cpu/load-inl.h"
#include "kernels/int8_scale.h"

HWY_BEFORE_NAMESPACE();
namespace galago::kernels::cpu {
namespace HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

/// The largest size of numbers that come in pieces, and whether all are finite. Sizes are compared as the
/// integers that their bits are: in the order of floats, behind them infinity, and then NaN.
class Sizes {
 public:
  template <class Element>
  void Take(const std::byte* from, int64_t count) {
    const Floats d;
    const hn::RebindToSigned<Floats> ints;
    const int64_t lanes = static_cast<int64_t>(hn::Lanes(d));
    const auto size = [&](hn::Vec<Floats> v) { return hn::BitCast(ints, hn::Abs(v)); };
    auto largest = hn::Zero(ints), others = largest;
    int64_t c = 0;
    for (; c + 2 * lanes <= count; c += 2 * lanes) {
      hn::Vec<Floats> a, b;
      Element::LoadTwo(from + c * Element::kBytes, a, b);
      largest = hn::Max(largest, size(a));
      others = hn::Max(others, size(b));
    }
    most_ = std::max(most_, hn::GetLane(hn::MaxOfLanes(ints, hn::Max(largest, others))));
    for (; c < count; ++c)
      most_ = std::max(most_, std::bit_cast<int32_t>(std::abs(Element::One(from + c * Element::kBytes))));
  }
  /// Infinity or NaN where a number is not finite.
  float Largest() const { return std::bit_cast<float>(most_); }
  Int8Scale Scale() const { return int8_scale(Largest(), std::isfinite(Largest())); }

 private:
  int32_t most_ = 0;
};

/// The integers of `count` numbers, plus 128 where T has no sign: zeros with an inverse of 0, whatever the
/// numbers are. Returns the sum of those before it.
template <class Element, class T>
int32_t ToIntegers(const std::byte* HWY_RESTRICT from, int64_t count, float inverse, T* HWY_RESTRICT to) {
  using Bits = std::make_unsigned_t<T>;
  constexpr auto kFlip = static_cast<Bits>(std::is_signed_v<T> ? 0 : 128);
  auto* HWY_RESTRICT const bits = reinterpret_cast<Bits*>(to);
  if (inverse == 0) {
    std::fill_n(bits, count, kFlip);
    return 0;
  }
  const Floats d;
  const hn::RebindToUnsigned<Floats> words;
  const hn::Rebind<Bits, Floats> narrow;
  const int64_t lanes = static_cast<int64_t>(hn::Lanes(d));
  const auto times = hn::Set(d, inverse);
  // Adding it rounds to a whole number in the low bits. The product must have been rounded before that:
  // the build's -ffp-contract=off keeps compilers from fusing the two.
  constexpr float kMagic = 0x1.8p23f;
  const auto magic = hn::Set(d, kMagic);
  const auto flip = hn::Set(narrow, kFlip);
  auto total = hn::Zero(words);  // without its high bits
  int64_t c = 0;
  for (; c + lanes <= count; c += lanes) {
    const auto q =
        hn::BitCast(words, hn::Add(hn::Mul(Element::Load(from + c * Element::kBytes), times), magic));
    total = hn::Add(total, q);
    hn::StoreU(hn::Xor(hn::TruncateTo(narrow, q), flip), narrow, bits + c);
  }
  auto sum = static_cast<int32_t>(hn::GetLane(hn::SumOfLanes(words, total)) -
                                  static_cast<uint32_t>(c) * std::bit_cast<uint32_t>(kMagic));
  for (; c < count; ++c) {
    const auto q = static_cast<int32_t>(std::nearbyint(Element::One(from + c * Element::kBytes) * inverse));
    sum += q;
    bits[c] = static_cast<Bits>(static_cast<Bits>(q) ^ kFlip);
  }
  return sum;
}

/// Places of a row of `count` numbers.
template <class Way>
constexpr int64_t PlacesOf(int64_t count) {
  constexpr int64_t kAtOnce = Way::kNumbers * Way::kPlaces;
  return (count + kAtOnce - 1) / kAtOnce * Way::kPlaces;
}

/// A row of x as places, with its factor and its start.
template <class Way>
void Int8Row(const float* x, int64_t count, float* places, float* factor, int32_t* start) {
  const auto* const from = reinterpret_cast<const std::byte*>(x);
  Sizes sizes;
  sizes.Take<F32>(from, count);
  const Int8Scale scale = sizes.Scale();
  *factor = scale.factor;
  *start = 0;
  const int64_t whole = PlacesOf<Way>(count);
  if (scale.inverse == 0) {
    std::fill_n(places, whole, 0.0f);
    return;
  }
  std::fill_n(places + whole - Way::kPlaces, Way::kPlaces, 0.0f);
  using Number = std::make_signed_t<typename Way::Number>;
  *start = -Way::kOffset * ToIntegers<F32>(from, count, scale.inverse, reinterpret_cast<Number*>(places));
}

}  // namespace HWY_NAMESPACE
}  // namespace galago::kernels::cpu
HWY_AFTER_NAMESPACE();
#endif
