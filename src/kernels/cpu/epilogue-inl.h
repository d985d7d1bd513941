// The end of every linear layer, on a few values that were just computed: bias, activation, factor, scale,
// residual. Included once per instruction set, from Highway files only.
#if defined(GALAGO_EPILOGUE_INL_H) == defined(HWY_TARGET_TOGGLE)
#ifdef GALAGO_EPILOGUE_INL_H
#undef GALAGO_EPILOGUE_INL_H
#else
#define GALAGO_EPILOGUE_INL_H
#endif

#include <hwy/highway.h>

#include "kernels/cpu/activation-inl.h"

HWY_BEFORE_NAMESPACE();
namespace galago::kernels::cpu {
namespace HWY_NAMESPACE {

/// One vector of a row, from its sums to its place.
template <Activation kActivation, class D>
HWY_INLINE void FinishVector(D d, float scale, const float* sums, const float* bias, const float* factor,
                             const float* residual, float* y) {
  auto value = hn::LoadU(d, sums);
  if (bias) value = hn::Add(value, hn::LoadU(d, bias));
  value = Activate(d, kActivation, value);
  if (factor) value = hn::Mul(value, hn::LoadU(d, factor));
  const auto times = hn::Set(d, scale);
  value = residual ? hn::MulAdd(value, times, hn::LoadU(d, residual)) : hn::Mul(value, times);
  hn::StoreU(value, d, y);
}

template <Activation kActivation>
void FinishWith(const Product& product, int64_t row, int64_t first, int64_t count, const float* sums,
                float* y) {
  const Epilogue& epilogue = product.epilogue;
  const float* const bias = product.layer->bias() ? product.layer->bias() + first : nullptr;
  const float* const factor = epilogue.factor.data ? epilogue.factor.row(row) + first : nullptr;
  const float* const residual = epilogue.residual.data ? epilogue.residual.row(row) + first : nullptr;
  const float scale = epilogue.scale;
  const auto at = [](const float* values, int64_t c) { return values ? values + c : nullptr; };
  const hn::ScalableTag<float> d;
  const hn::CappedTag<float, 1> one;
  int64_t c = 0;
  for (; c + static_cast<int64_t>(hn::Lanes(d)) <= count; c += static_cast<int64_t>(hn::Lanes(d)))
    FinishVector<kActivation>(d, scale, sums + c, at(bias, c), at(factor, c), at(residual, c), y + c);
  for (; c < count; ++c)
    FinishVector<kActivation>(one, scale, sums + c, at(bias, c), at(factor, c), at(residual, c), y + c);
}

/// y[0..count) = columns [first, first + count) of row `row` of a product, from the sums of its products; y
/// may be their place, or the factor's or the residual's.
inline void FinishRow(const Product& product, int64_t row, int64_t first, int64_t count, const float* sums,
                      float* y) {
  const auto finish = [&]<Activation kActivation>() {
    FinishWith<kActivation>(product, row, first, count, sums, y);
  };
  switch (product.epilogue.activation) {
    case Activation::gelu_tanh:
      return finish.template operator()<Activation::gelu_tanh>();
    case Activation::gelu_erf:
      return finish.template operator()<Activation::gelu_erf>();
    case Activation::quick_gelu:
      return finish.template operator()<Activation::quick_gelu>();
    case Activation::silu:
      return finish.template operator()<Activation::silu>();
    case Activation::relu:
      return finish.template operator()<Activation::relu>();
    case Activation::none:
      return finish.template operator()<Activation::none>();
  }
}

}  // namespace HWY_NAMESPACE
}  // namespace galago::kernels::cpu
HWY_AFTER_NAMESPACE();
#endif
