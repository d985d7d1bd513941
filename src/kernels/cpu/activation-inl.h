// Elementwise functions on vectors of floats.
// Included once per instruction set, from Highway files only.
#if defined(GALAGO_ACTIVATION_INL_H) == defined(HWY_TARGET_TOGGLE)
#ifdef GALAGO_ACTIVATION_INL_H
#undef GALAGO_ACTIVATION_INL_H
#else
#define GALAGO_ACTIVATION_INL_H
#endif

#include <hwy/highway.h>

#include "kernels/kernels.h"
#include "kernels/reference/reference.h"

HWY_BEFORE_NAMESPACE();
namespace galago::kernels::cpu {
namespace HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

/// exp(x) for x in [-87, 88], 0 below: 2^n times a polynomial of the rest, |rest| <= ln(2) / 2. Relative
/// error about 1e-7; coefficients of Cephes' expf (Moshier 1992).
template <class D, class V = hn::Vec<D>>
HWY_INLINE V FastExp(D d, V x) {
  const hn::RebindToSigned<D> integers;
  const V magic = hn::Set(d, 12582912.0f);  // 1.5 * 2^23: adding it rounds to a whole number in the low bits
  const V shifted = hn::MulAdd(x, hn::Set(d, 1.44269504089f), magic);
  const V n = hn::Sub(shifted, magic);
  const V rest = hn::NegMulAdd(n, hn::Set(d, -2.12194440e-4f), hn::NegMulAdd(n, hn::Set(d, 0.693359375f), x));
  V sum = hn::Set(d, 1.9875691500e-4f);
  for (const float c :
       {1.3981999507e-3f, 8.3334519073e-3f, 4.1665795894e-2f, 1.6666665459e-1f, 5.0000001201e-1f})
    sum = hn::MulAdd(sum, rest, hn::Set(d, c));
  const V power = hn::Add(hn::MulAdd(hn::Mul(rest, rest), sum, rest), hn::Set(d, 1.0f));
  const auto exponent = hn::ShiftLeft<23>(hn::BitCast(integers, shifted));
  const V result = hn::BitCast(d, hn::Add(hn::BitCast(integers, power), exponent));
  return hn::IfThenZeroElse(hn::Lt(x, hn::Set(d, -87.0f)), result);
}

/// x / (1 + exp(-z)) = x sigmoid(z). The exponent is cut where the quotient leaves the range of floats.
template <class D, class V = hn::Vec<D>>
HWY_INLINE V TimesSigmoid(D d, V x, V z) {
  const V exponent = hn::Min(hn::Neg(z), hn::Set(d, 88.0f));
  return hn::Div(x, hn::Add(FastExp(d, exponent), hn::Set(d, 1.0f)));
}

/// 0.5 x (1 + erf(x / sqrt 2)) by Abramowitz and Stegun 7.1.26, whose error of erfc is at most 1.5e-7.
template <class D, class V = hn::Vec<D>>
HWY_INLINE V GeluErf(D d, V x) {
  const V z = hn::Mul(hn::Abs(x), hn::Set(d, 0.70710678118f));
  const V t = hn::Div(hn::Set(d, 1.0f), hn::MulAdd(z, hn::Set(d, 0.3275911f), hn::Set(d, 1.0f)));
  V sum = hn::Set(d, 1.061405429f);
  for (const float c : {-1.453152027f, 1.421413741f, -0.284496736f, 0.254829592f})
    sum = hn::MulAdd(sum, t, hn::Set(d, c));
  const V half_erfc = hn::Mul(hn::Mul(hn::Set(d, 0.5f), hn::Mul(sum, t)), FastExp(d, hn::Neg(hn::Mul(z, z))));
  const V positive = hn::Sub(hn::Set(d, 1.0f), half_erfc);
  return hn::Mul(x, hn::IfThenElse(hn::Lt(x, hn::Zero(d)), half_erfc, positive));
}

// gelu_tanh is x sigmoid(kGeluLinear (x + kGeluCubic x^3)), quick_gelu x sigmoid(kQuickGelu x).
constexpr float kGeluLinear = 1.5957691216f, kGeluCubic = 0.044715f, kQuickGelu = 1.702f;

template <class D, class V = hn::Vec<D>>
HWY_INLINE V Activate(D d, Activation activation, V x) {
  switch (activation) {
    case Activation::gelu_tanh: {
      // 0.5 (1 + tanh(u)) = sigmoid(2 u), which keeps its relative accuracy for negative x.
      const V cube = hn::Mul(hn::Mul(x, x), hn::Mul(x, hn::Set(d, kGeluCubic)));
      return TimesSigmoid(d, x, hn::Mul(hn::Add(x, cube), hn::Set(d, kGeluLinear)));
    }
    case Activation::gelu_erf:
      return GeluErf(d, x);
    case Activation::quick_gelu:
      return TimesSigmoid(d, x, hn::Mul(x, hn::Set(d, kQuickGelu)));
    case Activation::silu:
      return TimesSigmoid(d, x, x);
    case Activation::relu:
      return hn::Max(x, hn::Zero(d));
    default:
      return x;
  }
}

}  // namespace HWY_NAMESPACE
}  // namespace galago::kernels::cpu
HWY_AFTER_NAMESPACE();
#endif
