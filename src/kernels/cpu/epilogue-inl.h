// The end of every linear layer, on a few values that were just computed: bias, activation, factor, scale,
// residual. Included once per instruction set, from Highway files only.
#if defined(GALAGO_EPILOGUE_INL_H) == defined(HWY_TARGET_TOGGLE)
#ifdef GALAGO_EPILOGUE_INL_H
#undef GALAGO_EPILOGUE_INL_H
#else
#define GALAGO_EPILOGUE_INL_H
#endif

#include <hwy/highway.h>

#include <cstring>

#include "kernels/cpu/activation-inl.h"

HWY_BEFORE_NAMESPACE();
namespace galago::kernels::cpu {
namespace HWY_NAMESPACE {

/// Columns [first, first + count) of row `row` of product.y, made of `values`, which are overwritten.
inline void FinishRow(const Product& product, int64_t row, int64_t first, int64_t count,
                      float* HWY_RESTRICT values) {
  const Epilogue& epilogue = product.epilogue;
  if (const float* bias = product.layer->bias())
    for (int64_t c = 0; c < count; ++c) values[c] += bias[first + c];
  ActivateRow(epilogue.activation, count, values);
  if (epilogue.factor.data) {
    const float* factor = epilogue.factor.row(row) + first;
    for (int64_t c = 0; c < count; ++c) values[c] *= factor[c];
  }
  float* const y = product.y.row(row) + first;  // may be the factor's or the residual's place
  if (epilogue.residual.data) {
    const float* residual = epilogue.residual.row(row) + first;
    for (int64_t c = 0; c < count; ++c) values[c] = values[c] * epilogue.scale + residual[c];
  } else if (epilogue.scale != 1) {
    for (int64_t c = 0; c < count; ++c) values[c] *= epilogue.scale;
  }
  std::memcpy(y, values, static_cast<size_t>(count) * sizeof(float));
}

}  // namespace HWY_NAMESPACE
}  // namespace galago::kernels::cpu
HWY_AFTER_NAMESPACE();
#endif
