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

template <class D, class V = hn::Vec<D>>
HWY_INLINE V Activate(D d, Activation activation, V x) {
  switch (activation) {
    case Activation::gelu_tanh: {
      // 0.5 (1 + tanh(u)) = sigmoid(2 u), which keeps its relative accuracy for negative x.
      const V cube = hn::Mul(hn::Mul(x, x), hn::Mul(x, hn::Set(d, 0.044715f)));
      return TimesSigmoid(d, x, hn::Mul(hn::Add(x, cube), hn::Set(d, 1.5957691216f)));
    }
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
  if (activation ==
      Activation::gelu_erf) {  // no vector erf at hand, and no large product uses it with few rows
    for (int64_t c = 0; c < n; ++c) values[c] = reference::activate(activation, values[c]);
    return;
  }
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
