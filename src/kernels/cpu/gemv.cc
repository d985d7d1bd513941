// Products of a few rows with weights read as they lie in the checkpoint: y [n, out] = epilogue(x W^T). Bound
// by reading the weights, so bfloat16 and float16 are widened in registers, which loses nothing. Every output
// is one dot product whose order of summation depends only on the number of columns.
#include "kernels/cpu/simd.h"
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/cpu/gemv.cc"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

#include "kernels/cpu/epilogue-inl.h"
#include "kernels/cpu/load-inl.h"
#include "kernels/cpu/parallel.h"
#include "kernels/cpu/prefetch.h"
#include "kernels/cpu/products.h"
#include "kernels/cpu/quant.h"
#include "kernels/cpu/sums-inl.h"

HWY_BEFORE_NAMESPACE();
namespace galago::kernels::cpu {
namespace HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

/// kRows rows of x against kOuts rows of weights; each of the kRows x kOuts dot products keeps one vector of
/// partial sums. The first rows that read a weight prefetch those to come, as rows of weights are too short
/// for the processor to guess the next: cache lines in the order in which they lie, whatever the order of
/// use.
template <int kRows, int kOuts, class Element, class Ahead>
HWY_INLINE void Dots(ConstMatrix x, const std::byte* HWY_RESTRICT weights, const Ahead& ask,
                     float* HWY_RESTRICT dots) {
  const Floats d;
  const int64_t lanes = static_cast<int64_t>(hn::Lanes(d));
  const int64_t stride = x.cols * Element::kBytes;
  hn::Vec<Floats> sums[kRows][kOuts];
  for (int r = 0; r < kRows; ++r)
    for (int o = 0; o < kOuts; ++o) sums[r][o] = hn::Zero(d);
  for (int64_t c = 0; c + 2 * lanes <= x.cols; c += 2 * lanes) {
    hn::Vec<Floats> a[kOuts], b[kOuts];
    for (int o = 0; o < kOuts; ++o) {
      Element::LoadTwo(weights + o * stride + c * Element::kBytes, a[o], b[o]);
      ask.ahead_of(weights + (c * kOuts + 2 * lanes * o) * Element::kBytes);
    }
    for (int r = 0; r < kRows; ++r) {
      const auto first_x = hn::LoadU(d, x.row(r) + c), second_x = hn::LoadU(d, x.row(r) + c + lanes);
      for (int o = 0; o < kOuts; ++o) sums[r][o] = hn::MulAdd(first_x, a[o], sums[r][o]);
      for (int o = 0; o < kOuts; ++o) sums[r][o] = hn::MulAdd(second_x, b[o], sums[r][o]);
    }
  }
  for (int r = 0; r < kRows; ++r)
    if constexpr (kOuts == 4)
      StoreSums(sums[r][0], sums[r][1], sums[r][2], sums[r][3], dots + r * kOutputBlock);
    else
      for (int o = 0; o < kOuts; ++o) dots[r * kOutputBlock + o] = hn::GetLane(hn::SumOfLanes(d, sums[r][o]));
}

/// One row of x against four rows of weights as Dots has it, but one row after another, so that memory is
/// read in order.
template <class Element, class Ahead>
HWY_INLINE void OneRow(const float* HWY_RESTRICT x, int64_t cols, const std::byte* HWY_RESTRICT weights,
                       const Ahead& ask, float* HWY_RESTRICT dots) {
  const Floats d;
  const int64_t lanes = static_cast<int64_t>(hn::Lanes(d));
  hn::Vec<Floats> sums[4];
#pragma GCC unroll 1
  for (int o = 0; o < 4; ++o, weights += cols * Element::kBytes) {
    auto sum = hn::Zero(d);
    for (int64_t c = 0; c + 2 * lanes <= cols; c += 2 * lanes) {
      hn::Vec<Floats> a, b;
      Element::LoadTwo(weights + c * Element::kBytes, a, b);
      for (int64_t line = 0; line < 2 * lanes * Element::kBytes; line += 64)
        ask.ahead_of(weights + c * Element::kBytes + line);
      sum = hn::MulAdd(hn::LoadU(d, x + c), a, sum);
      sum = hn::MulAdd(hn::LoadU(d, x + c + lanes), b, sum);
    }
    sums[o] = sum;
  }
  StoreSums(sums[0], sums[1], sums[2], sums[3], dots);
}

/// The columns that do not fill two vectors.
void AddTail(ConstMatrix x, const WeightView& weight, int64_t out, float* dots) {
  const int64_t begin = x.cols - x.cols % (2 * static_cast<int64_t>(hn::Lanes(Floats())));
  for (int64_t c = begin; c < x.cols; ++c) {
    float w = 0;
    to_floats(weight, out, c, 1, &w);
    for (int64_t r = 0; r < x.rows; ++r) dots[r * kOutputBlock] += x.row(r)[c] * w;
  }
}

/// How weights are read: what is asked for ahead, and whether one row of x takes them in the order of memory
/// or four rows of them together.
template <class Ahead>
struct Reading {
  Ahead ask;
  bool in_order = false;
};

/// dots[r][0..outs) for kRows rows from row `row` on.
template <int kRows, class Element, class Ahead>
void SomeRows(ConstMatrix x, int64_t row, const std::byte* weights, int64_t outs, const Reading<Ahead>& how,
              float* dots) {
  constexpr int kOuts = 4;
  const ConstMatrix some = x.slice_rows(row, kRows);
  const int64_t stride = x.cols * Element::kBytes;
  int64_t o = 0;
  if constexpr (kRows == 1 && Ahead::kAsks)
    for (; how.in_order && o + kOuts <= outs; o += kOuts)
      OneRow<Element>(some.row(0), x.cols, weights + o * stride, how.ask, dots + o);
  for (; o + kOuts <= outs; o += kOuts)
    Dots<kRows, kOuts, Element>(some, weights + o * stride, how.ask, dots + row * kOutputBlock + o);
  for (; o < outs; ++o)
    Dots<kRows, 1, Element>(some, weights + o * stride, how.ask, dots + row * kOutputBlock + o);
}

template <class Element, class Ahead>
void AllRows(ConstMatrix x, const std::byte* weights, int64_t outs, const Reading<Ahead>& how, float* dots) {
  if (x.rows >= 4)
    SomeRows<4, Element>(x, 0, weights, outs, how, dots);
  else if (x.rows >= 2)
    SomeRows<2, Element>(x, 0, weights, outs, how, dots);
  else
    SomeRows<1, Element>(x, 0, weights, outs, how, dots);
  int64_t row = x.rows >= 4 ? 4 : x.rows >= 2 ? 2 : 1;
  const Reading<AskNot> near;
  for (; row + 4 <= x.rows; row += 4) SomeRows<4, Element>(x, row, weights, outs, near, dots);
  for (; row < x.rows; ++row) SomeRows<1, Element>(x, row, weights, outs, near, dots);
}

/// x in the order of elements that are split: of each two vectors the even columns, then the odd ones.
void Split(ConstMatrix x, float* to) {
  const Floats d;
  const int64_t lanes = static_cast<int64_t>(hn::Lanes(d));
  for (int64_t r = 0; r < x.rows; ++r)
    for (int64_t c = 0; c + 2 * lanes <= x.cols; c += 2 * lanes) {
      hn::Vec<Floats> even, odd;
      hn::LoadInterleaved2(d, x.row(r) + c, even, odd);
      hn::StoreU(even, d, to + r * x.cols + c);
      hn::StoreU(odd, d, to + r * x.cols + c + lanes);
    }
}

/// Columns [begin, end) of product.y. split: x as Split gives it.
template <class Ahead>
void Columns(ConstMatrix x, ConstMatrix split, const Product& product, int64_t begin, int64_t end,
             const Reading<Ahead>& how) {
  float dots[kFewRows * kOutputBlock];
  const WeightView& weight = product.layer->weight();
  for (int64_t first = begin; first < end; first += kOutputBlock) {
    const int64_t outs = std::min(kOutputBlock, end - first);
    const std::byte* weights = weight.row(first);
    if (weight.format == WeightFormat::f32)
      AllRows<F32>(x, weights, outs, how, dots);
    else if (weight.format == WeightFormat::bf16)
      AllRows<Bf16>(split, weights, outs, how, dots);
    else
      AllRows<F16>(x, weights, outs, how, dots);
    if (x.cols % (2 * static_cast<int64_t>(hn::Lanes(Floats()))) != 0)
      for (int64_t o = 0; o < outs; ++o) AddTail(x, weight, first + o, dots + o);
    Finish(product.epilogue, EndOf(product, 0, first, {dots, x.rows, outs, kOutputBlock}));
  }
}

void FewRows(const Ways& ways, ConstMatrix x, ConstMatrix split, const Product& product, int64_t begin,
             int64_t end) {
  with_ask(ways.prefetch, [&]<class Ahead>(const Ahead& ask) {
    Columns(x, split, product, begin, end, Reading<Ahead>{ask, ways.rows_together == 1});
  });
}

const char* SimdName() { return hwy::TargetName(HWY_TARGET); }

}  // namespace HWY_NAMESPACE
}  // namespace galago::kernels::cpu
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace galago::kernels::cpu {
HWY_EXPORT(FewRows);
HWY_EXPORT(Split);
HWY_EXPORT(SimdName);

const char* simd_name() { return HWY_DYNAMIC_DISPATCH(SimdName)(); }

void few_row_products(Pool& pool, const Ways& ways, ConstMatrix x, std::span<const Product> products) {
  const auto blocks_of = [](const Product& product) {
    return (product.y.cols + kOutputBlock - 1) / kOutputBlock;
  };
  int64_t blocks = 1, cost = 0;
  ConstMatrix split;
  IntegerRows integers;  // x, made once for all products whose weights want it so
  for (const Product& product : products) {
    blocks = std::max(blocks, blocks_of(product));
    cost += blocks_of(product) * kOutputBlock * x.cols;
    const WeightFormat format = product.layer->weight().format;
    if (is_quantised(format) && !integers.fours) integers = integer_rows(x);
    if (format == WeightFormat::bf16 && !split.data) {
      float* const memory = thread_scratch<struct SplitRows>(x.rows * x.cols);
      HWY_DYNAMIC_DISPATCH(Split)(x, memory);
      split = {memory, x.rows, x.cols};
    }
  }
  // A part takes the same share of every product, one after another: a product may need an earlier one's.
  parallel_for(pool, blocks, cost / blocks, [&](int64_t begin, int64_t end) {
    for (const Product& product : products) {
      const int64_t own = blocks_of(product);
      const int64_t first = begin * own / blocks * kOutputBlock;
      const int64_t last = std::min(end * own / blocks * kOutputBlock, product.y.cols);
      if (first < last && is_quantised(product.layer->weight().format))
        quantised_few_rows(integers, product, first, last, ways.prefetch);
      else if (first < last)
        HWY_DYNAMIC_DISPATCH(FewRows)(ways, x, split, product, first, last);
    }
  });
}

}  // namespace galago::kernels::cpu
#endif
