// Rows of numbers as whole numbers of 8 bits. Included once per instruction set, from Highway files only.
#if defined(GALAGO_INT8_ROWS_INL_H) == defined(HWY_TARGET_TOGGLE)
#ifdef GALAGO_INT8_ROWS_INL_H
#undef GALAGO_INT8_ROWS_INL_H
#else
#define GALAGO_INT8_ROWS_INL_H
#endif

#include <hwy/highway.h>

#include <algorithm>
#include <cmath>
#include <type_traits>

#include "kernels/cpu/load-inl.h"
#include "kernels/int8_scale.h"

HWY_BEFORE_NAMESPACE();
namespace galago::kernels::cpu {
namespace HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

/// The largest size of numbers that come in pieces, and whether all are finite.
class Sizes {
 public:
  template <class Element>
  void Take(const std::byte* from, int64_t count) {
    const Floats d;
    const int64_t lanes = static_cast<int64_t>(hn::Lanes(d));
    auto largest = hn::Zero(d), odd = hn::Zero(d);
    int64_t c = 0;
    for (; c + lanes <= count; c += lanes) {
      const auto v = Element::Load(from + c * Element::kBytes);
      largest = hn::Max(largest, hn::Abs(v));
      odd = hn::Add(odd, hn::Sub(v, v));
    }
    most_ = std::max(most_, hn::GetLane(hn::MaxOfLanes(d, largest)));
    strange_ += hn::GetLane(hn::SumOfLanes(d, odd));
    for (; c < count; ++c) {
      const float v = Element::One(from + c * Element::kBytes);
      most_ = std::max(most_, std::abs(v));
      strange_ += v - v;
    }
  }
  Int8Scale Scale() const { return int8_scale(most_, strange_ == 0); }

 private:
  float most_ = 0;
  float strange_ = 0;  // NaN once one is not finite
};

/// The integers of `count` numbers, plus `offset`: zeros with an inverse of 0, whatever the numbers are.
/// Returns the sum of those before it.
template <class Element, class T>
int32_t ToIntegers(const std::byte* HWY_RESTRICT from, int64_t count, float inverse, int32_t offset,
                   T* HWY_RESTRICT to) {
  if (inverse == 0) {
    std::fill_n(to, count, static_cast<T>(offset));
    return 0;
  }
  const Floats d;
  const hn::RebindToSigned<Floats> ints;
  const hn::Rebind<T, Floats> narrow;
  const int64_t lanes = static_cast<int64_t>(hn::Lanes(d));
  const auto times = hn::Set(d, inverse);
  const auto more = hn::Set(ints, offset);
  auto total = hn::Zero(ints);
  int64_t c = 0;
  for (; c + lanes <= count; c += lanes) {
    const auto q = hn::NearestInt(hn::Mul(Element::Load(from + c * Element::kBytes), times));
    total = hn::Add(total, q);
    hn::StoreU(hn::DemoteTo(narrow, hn::Add(q, more)), narrow, to + c);
  }
  int32_t sum = hn::GetLane(hn::SumOfLanes(ints, total));
  for (; c < count; ++c) {
    const auto q = static_cast<int32_t>(std::nearbyint(Element::One(from + c * Element::kBytes) * inverse));
    sum += q;
    to[c] = static_cast<T>(q + offset);
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
  *start = -Way::kOffset * ToIntegers<F32>(from, count, scale.inverse, 0, reinterpret_cast<Number*>(places));
}

}  // namespace HWY_NAMESPACE
}  // namespace galago::kernels::cpu
HWY_AFTER_NAMESPACE();
#endif
