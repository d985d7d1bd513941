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

/// A block of a product: all matrices are [rows, cols] like the sums, bias [cols]; null data: none.
struct BlockEnd {
  ConstMatrix sums;
  const float* bias;
  ConstMatrix factor;
  ConstMatrix residual;
  Matrix y;  ///< may be the place of another one
};

/// Rows [row, row + sums.rows) and columns [first, first + sums.cols) of a product.
inline BlockEnd EndOf(const Product& product, int64_t row, int64_t first, const ConstMatrix& sums) {
  const auto block = [&](auto matrix) {
    return matrix.data ? matrix.slice_rows(row, sums.rows).slice_cols(first, sums.cols) : matrix;
  };
  return {sums, product.layer->bias() ? product.layer->bias() + first : nullptr,
          block(product.epilogue.factor), block(product.epilogue.residual), block(product.y)};
}

template <Activation kActivation>
void FinishWith(float scale, const BlockEnd& end) {
  const hn::ScalableTag<float> d;
  const hn::CappedTag<float, 1> one;
  const int64_t lanes = static_cast<int64_t>(hn::Lanes(d)), cols = end.sums.cols;
  for (int64_t r = 0; r < end.sums.rows; ++r) {
    const float* const sums = end.sums.row(r);
    const float* const factor = end.factor.data ? end.factor.row(r) : nullptr;
    const float* const residual = end.residual.data ? end.residual.row(r) : nullptr;
    float* const y = end.y.row(r);
    const auto at = [](const float* values, int64_t c) { return values ? values + c : nullptr; };
    int64_t c = 0;
    for (; c + lanes <= cols; c += lanes)
      FinishVector<kActivation>(d, scale, sums + c, at(end.bias, c), at(factor, c), at(residual, c), y + c);
    for (; c < cols; ++c)
      FinishVector<kActivation>(one, scale, sums + c, at(end.bias, c), at(factor, c), at(residual, c), y + c);
  }
}

/// y of a block, from the sums of its products.
inline void Finish(const Epilogue& epilogue, const BlockEnd& end) {
  const auto finish = [&]<Activation kActivation>() { FinishWith<kActivation>(epilogue.scale, end); };
  switch (epilogue.activation) {
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
