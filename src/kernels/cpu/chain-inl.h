// How products of many rows end: what becomes of a block's sums, for a product alone and for products that
// are made together. Included once per instruction set, from Highway files only.
#if defined(GALAGO_CHAIN_INL_H) == defined(HWY_TARGET_TOGGLE)
#ifdef GALAGO_CHAIN_INL_H
#undef GALAGO_CHAIN_INL_H
#else
#define GALAGO_CHAIN_INL_H
#endif

#include <hwy/highway.h>

#include <optional>

#include "kernels/cpu/bf16.h"
#include "kernels/cpu/epilogue-inl.h"
#include "kernels/cpu/prefetch.h"
#include "kernels/cpu/products.h"

HWY_BEFORE_NAMESPACE();
namespace galago::kernels::cpu {
namespace HWY_NAMESPACE {

/// Whether a product's sums are what it gives.
inline bool IsPlain(const Product& product) {
  const auto& [layer, y, end] = product;
  return !layer->bias() && end.activation == Activation::none && !end.factor.data && end.scale == 1 &&
         !end.residual.data;
}

/// The form in which sigmoid_to_bf16 ends a product, if it can.
inline std::optional<SigmoidUnit> UnitOf(const Epilogue& epilogue) {
  if (epilogue.scale != 1 || epilogue.residual.data) return {};
  switch (epilogue.activation) {
    case Activation::silu:
      return SigmoidUnit{};
    case Activation::quick_gelu:
      return SigmoidUnit{.linear = kQuickGelu};
    case Activation::gelu_tanh:
      return SigmoidUnit{.linear = kGeluLinear, .cubic = kGeluLinear * kGeluCubic};
    default:
      return {};
  }
}

/// A block as bfloat16 in rows `stride` apart, from its sums, which change.
inline void FinishPairs(const Product& product, BlockEnd& end, const Matrix& sums, uint16_t* to,
                        int64_t stride) {
  const std::optional<SigmoidUnit> unit = UnitOf(product.epilogue);
  end.y = sums;
  if (!unit && !IsPlain(product)) Finish(product.epilogue, end);
  for (int64_t r = 0; r < sums.rows; ++r, to += stride) {
    if (unit)
      sigmoid_to_bf16(*unit, sums.row(r), end.bias, end.factor.data ? end.factor.row(r) : nullptr, sums.cols,
                      to);
    else
      round_to_bf16(sums.row(r), sums.cols, to);
  }
}

/// A block of a chain's product from its sums [rows, count], which change. `last`: the block of the
/// product before it, as far apart; null for the first.
inline void FinishBlock(const Chain& chain, size_t index, int64_t row, int64_t first, const Matrix& sums,
                        const float* last) {
  const Product& product = chain.products[index];
  BlockEnd end = EndOf(product, row, first, sums);
  if (last) end.factor = {last, sums.rows, sums.cols, sums.stride};
  const bool written = index + 1 == chain.products.size();
  if (written && chain.pairs.data)
    return FinishPairs(product, end, sums, reinterpret_cast<uint16_t*>(chain.pairs.row(row)) + first,
                       2 * chain.pairs.stride);
  if (!written) end.y = sums;
  if (end.y.data != sums.data || !IsPlain(product)) Finish(product.epilogue, end);
}

/// Adds to `prefetch` the places that FinishBlock will write of rows [row, row + kBlockRows).
inline void PrefetchWritten(const Chain& chain, int64_t row, int64_t first, int64_t count,
                            Prefetch& prefetch) {
  const bool pairs = chain.pairs.data != nullptr;
  const Matrix& to = pairs ? chain.pairs : chain.products.back().y;
  const int64_t size = pairs ? 2 : 4;
  prefetch.data = reinterpret_cast<const std::byte*>(to.row(row)) + first * size;
  prefetch.stride = to.stride * 4;
  prefetch.bytes = count * size;
}

}  // namespace HWY_NAMESPACE
}  // namespace galago::kernels::cpu
HWY_AFTER_NAMESPACE();
#endif
