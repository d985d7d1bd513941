// Products of a few rows with weights read as they lie in the checkpoint: y [n, out] = epilogue(x W^T). Bound
// by reading the weights, so bfloat16 and float16 are widened in registers, which loses nothing. Every output
// is one dot product whose order of summation depends only on the number of columns.
#include "kernels/cpu/simd.h"
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/cpu/gemv.cc"
#include <hwy/cache_control.h>
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

#include "kernels/cpu/epilogue-inl.h"
#include "kernels/cpu/load-inl.h"
#include "kernels/cpu/parallel.h"
#include "kernels/cpu/products.h"
#include "kernels/cpu/quant.h"

HWY_BEFORE_NAMESPACE();
namespace galago::kernels::cpu {
namespace HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

/// Bytes by which reading runs ahead of use: rows of weights are too short for the processor to guess the
/// next.
constexpr int64_t kAhead = 4096;

/// kRows rows of x against kOuts rows of weights; each of the kRows x kOuts dot products keeps one vector of
/// partial sums.
template <int kRows, int kOuts, class Element>
HWY_INLINE void Dots(ConstMatrix x, const std::byte* HWY_RESTRICT weights, float* HWY_RESTRICT dots) {
  const Floats d;
  const int64_t lanes = static_cast<int64_t>(hn::Lanes(d));
  const int64_t stride = x.cols * Element::kBytes;
  hn::Vec<Floats> sums[kRows][kOuts];
  for (int r = 0; r < kRows; ++r)
    for (int o = 0; o < kOuts; ++o) sums[r][o] = hn::Zero(d);
  int64_t c = 0;
  for (; c + lanes <= x.cols; c += lanes) {
    hn::Vec<Floats> w[kOuts];
    for (int o = 0; o < kOuts; ++o) {
      const std::byte* from = weights + o * stride + c * Element::kBytes;
      w[o] = Element::Load(from);
      hwy::Prefetch(from + kAhead);
    }
    for (int r = 0; r < kRows; ++r) {
      const auto xv = hn::LoadU(d, x.row(r) + c);
      for (int o = 0; o < kOuts; ++o) sums[r][o] = hn::MulAdd(xv, w[o], sums[r][o]);
    }
  }
  for (int r = 0; r < kRows; ++r)
    for (int o = 0; o < kOuts; ++o) dots[r * kOutputBlock + o] = hn::GetLane(hn::SumOfLanes(d, sums[r][o]));
}

/// The columns that do not fill a vector.
void AddTail(ConstMatrix x, const WeightView& weight, int64_t out, float* dots) {
  const int64_t begin = x.cols - x.cols % static_cast<int64_t>(hn::Lanes(Floats()));
  for (int64_t c = begin; c < x.cols; ++c) {
    float w = 0;
    to_floats(weight, out, c, 1, &w);
    for (int64_t r = 0; r < x.rows; ++r) dots[r * kOutputBlock] += x.row(r)[c] * w;
  }
}

/// dots[r][0..outs) for kRows rows from row `row` on.
template <int kRows, class Element>
void SomeRows(ConstMatrix x, int64_t row, const std::byte* weights, int64_t outs, float* dots) {
  constexpr int kOuts = 4;
  const ConstMatrix some = x.slice_rows(row, kRows);
  const int64_t stride = x.cols * Element::kBytes;
  int64_t o = 0;
  for (; o + kOuts <= outs; o += kOuts)
    Dots<kRows, kOuts, Element>(some, weights + o * stride, dots + row * kOutputBlock + o);
  for (; o < outs; ++o) Dots<kRows, 1, Element>(some, weights + o * stride, dots + row * kOutputBlock + o);
}

template <class Element>
void AllRows(ConstMatrix x, const std::byte* weights, int64_t outs, float* dots) {
  int64_t row = 0;
  for (; row + 4 <= x.rows; row += 4) SomeRows<4, Element>(x, row, weights, outs, dots);
  for (; row + 2 <= x.rows; row += 2) SomeRows<2, Element>(x, row, weights, outs, dots);
  for (; row < x.rows; ++row) SomeRows<1, Element>(x, row, weights, outs, dots);
}

/// Columns [begin, end) of product.y.
void FewRows(ConstMatrix x, const Product& product, int64_t begin, int64_t end) {
  float dots[kFewRows * kOutputBlock];
  const WeightView& weight = product.layer->weight();
  for (int64_t first = begin; first < end; first += kOutputBlock) {
    const int64_t outs = std::min(kOutputBlock, end - first);
    const std::byte* weights = weight.row(first);
    if (weight.format == WeightFormat::f32)
      AllRows<F32>(x, weights, outs, dots);
    else if (weight.format == WeightFormat::bf16)
      AllRows<Bf16>(x, weights, outs, dots);
    else
      AllRows<F16>(x, weights, outs, dots);
    for (int64_t o = 0; o < outs; ++o) AddTail(x, weight, first + o, dots + o);
    for (int64_t r = 0; r < x.rows; ++r) FinishRow(product, r, first, outs, dots + r * kOutputBlock);
  }
}

const char* SimdName() { return hwy::TargetName(HWY_TARGET); }

}  // namespace HWY_NAMESPACE
}  // namespace galago::kernels::cpu
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace galago::kernels::cpu {
HWY_EXPORT(FewRows);
HWY_EXPORT(SimdName);

const char* simd_name() { return HWY_DYNAMIC_DISPATCH(SimdName)(); }

void few_row_products(ConstMatrix x, std::span<const Product> products) {
  const auto blocks = [](const Product& product) {
    return (product.y.cols + kOutputBlock - 1) / kOutputBlock;
  };
  int64_t all = 0;
  IntegerRows q8, q4;  // x, made once for all products whose weights have the format
  for (const Product& product : products) {
    all += blocks(product);
    const WeightFormat format = product.layer->weight().format;
    IntegerRows& rows = format == WeightFormat::q8 ? q8 : q4;
    if (is_quantised(format) && !rows.values) rows = integer_rows(x, format);
  }
  parallel_for(all, kOutputBlock * x.cols, [&](int64_t begin, int64_t end) {
    for (const Product& product : products) {
      const int64_t own = blocks(product);
      const int64_t first = begin * kOutputBlock;
      const int64_t last = std::min(std::min(own, end) * kOutputBlock, product.y.cols);
      const WeightFormat format = product.layer->weight().format;
      if (first < last && is_quantised(format))
        quantised_few_rows(format == WeightFormat::q8 ? q8 : q4, product, first, last);
      else if (first < last)
        HWY_DYNAMIC_DISPATCH(FewRows)(x, product, first, last);
      begin = std::max<int64_t>(0, begin - own);
      end = std::max<int64_t>(0, end - own);
    }
  });
}

}  // namespace galago::kernels::cpu
#endif
