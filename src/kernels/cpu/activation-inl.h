// Elementwise functions on vectors of floats, and the end of a linear layer: activation, then residual.
// Included once per instruction set, from Highway files only.
#if defined(GALAGO_ACTIVATION_INL_H) == defined(HWY_TARGET_TOGGLE)
#ifdef GALAGO_ACTIVATION_INL_H
#undef GALAGO_ACTIVATION_INL_H
#else
#define GALAGO_ACTIVATION_INL_H
#endif

#include <hwy/contrib/math/math-inl.h>
#include <hwy/highway.h>

#include "kernels/kernels.h"
#include "kernels/reference/reference.h"

HWY_BEFORE_NAMESPACE();
namespace galago::kernels::cpu {
namespace HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

/// x / (1 + exp(-z)) = x sigmoid(z). The exponent is cut where the quotient leaves the range of floats.
template <class D, class V = hn::Vec<D>>
HWY_INLINE V TimesSigmoid(D d, V x, V z) {
  const V exponent = hn::Min(hn::Neg(z), hn::Set(d, 88.0f));
  return hn::Div(x, hn::Add(hn::Exp(d, exponent), hn::Set(d, 1.0f)));
}

/// 0.5 x (1 + erf(x / sqrt 2)) by Abramowitz and Stegun 7.1.26, whose error of erfc is at most 1.5e-7.
template <class D, class V = hn::Vec<D>>
HWY_INLINE V GeluErf(D d, V x) {
  const V z = hn::Mul(hn::Abs(x), hn::Set(d, 0.70710678118f));
  const V t = hn::Div(hn::Set(d, 1.0f), hn::MulAdd(z, hn::Set(d, 0.3275911f), hn::Set(d, 1.0f)));
  V sum = hn::Set(d, 1.061405429f);
  for (const float c : {-1.453152027f, 1.421413741f, -0.284496736f, 0.254829592f})
    sum = hn::MulAdd(sum, t, hn::Set(d, c));
  const V exponent = hn::Max(hn::Neg(hn::Mul(z, z)), hn::Set(d, -88.0f));
  const V half_erfc = hn::Mul(hn::Mul(hn::Set(d, 0.5f), hn::Mul(sum, t)), hn::Exp(d, exponent));
  const V positive = hn::Sub(hn::Set(d, 1.0f), half_erfc);
  return hn::Mul(x, hn::IfThenElse(hn::Lt(x, hn::Zero(d)), half_erfc, positive));
}

template <class D, class V = hn::Vec<D>>
HWY_INLINE V Activate(D d, Activation activation, V x) {
  switch (activation) {
    case Activation::gelu_tanh: {
      // 0.5 (1 + tanh(u)) = sigmoid(2 u), which keeps its relative accuracy for negative x.
      const V cube = hn::Mul(hn::Mul(x, x), hn::Mul(x, hn::Set(d, 0.044715f)));
      return TimesSigmoid(d, x, hn::Mul(hn::Add(x, cube), hn::Set(d, 1.5957691216f)));
    }
    case Activation::gelu_erf:
      return GeluErf(d, x);
    case Activation::quick_gelu:
      return TimesSigmoid(d, x, hn::Mul(x, hn::Set(d, 1.702f)));
    case Activation::silu:
      return TimesSigmoid(d, x, x);
    case Activation::relu:
      return hn::Max(x, hn::Zero(d));
    default:
      return x;
  }
}

/// values[c] = activation(values[c]) for n floats.
inline void ActivateRow(Activation activation, int64_t n, float* values) {
  const hn::ScalableTag<float> d;
  const int64_t lanes = static_cast<int64_t>(hn::Lanes(d));
  if (activation == Activation::none) return;
  int64_t c = 0;
  for (; c + lanes <= n; c += lanes)
    hn::StoreU(Activate(d, activation, hn::LoadU(d, values + c)), d, values + c);
  const hn::CappedTag<float, 1> one;
  for (; c < n; ++c) hn::StoreU(Activate(one, activation, hn::LoadU(one, values + c)), one, values + c);
}

}  // namespace HWY_NAMESPACE
}  // namespace galago::kernels::cpu
HWY_AFTER_NAMESPACE();
#endif
