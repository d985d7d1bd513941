// Products of many rows, bound by arithmetic: y [n, out] = epilogue(x [n, in] W^T). A task takes a panel of
// some columns of W^T, packs one depth of it into its own cache as floats, whatever format the weights have,
// and takes all its rows past it. Rows of x are read where they lie. No copy of the weights outlives the
// task. A row's sums run over the columns in order, so they depend neither on the other rows nor on the
// threads. The blocking follows Goto and van de Geijn, "Anatomy of High-Performance Matrix Multiplication"
// (2008).
#include "kernels/cpu/simd.h"
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/cpu/gemm.cc"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

#include <algorithm>

#include "kernels/cpu/block-inl.h"
#include "kernels/cpu/epilogue-inl.h"
#include "kernels/cpu/load-inl.h"
#include "kernels/cpu/parallel.h"
#include "kernels/cpu/products.h"
#include "kernels/cpu/quant.h"
#include "kernels/cpu/transpose-inl.h"

HWY_BEFORE_NAMESPACE();
namespace galago::kernels::cpu {
namespace HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

constexpr int kPanelVectors = 3;
constexpr int kBlockRows = kSums / kPanelVectors;
constexpr int64_t kMostDepth = 1024;  // of a panel at once: 192 KiB with 16 lanes, in the second cache
constexpr int64_t kChunk = 256;       // weights of a row that become floats at once

int64_t PanelColumns() { return kPanelVectors * static_cast<int64_t>(hn::Lanes(Floats())); }

/// The weights of outputs [first, first + count) and inputs [begin, begin + depth) as a panel
/// [depth][PanelColumns()]; columns past count are zero.
void PackPanel(const WeightView& weights, int64_t first, int64_t count, int64_t begin, int64_t depth,
               float* HWY_RESTRICT panel) {
  const int64_t lanes = static_cast<int64_t>(hn::Lanes(Floats())), width = PanelColumns();
  HWY_ALIGN float rows[hn::MaxLanes(Floats()) * kChunk];
  for (int64_t column = 0; column < width; column += lanes)
    for (int64_t k = 0; k < depth; k += kChunk) {
      const int64_t part = std::min(kChunk, depth - k);
      for (int64_t r = 0; r < lanes; ++r) {
        if (column + r < count)
          dequantise(weights, first + column + r, begin + k, part, rows + r * kChunk);
        else
          std::fill_n(rows + r * kChunk, part, 0.0f);
      }
      Transpose(rows, kChunk, part, panel + k * width + column, width);
    }
}

/// sums [rows of x, PanelColumns()] (+)= x [rows, depth] times the panel; at most kBlockRows rows.
void Rows(ConstMatrix x, int64_t depth, const float* panel, bool accumulate, float* sums) {
  const int64_t width = PanelColumns();
  int64_t row = 0;
  const auto step = [&]<int kRows>() {
    for (; row + kRows <= x.rows; row += kRows)
      Block<kRows, kPanelVectors>(x.row(row), x.stride, depth, panel, accumulate, sums + row * width, width);
  };
  step.template operator()<kBlockRows>();
  step.template operator()<kBlockRows / 2>();
  step.template operator()<1>();
}

/// Rows [begin, end) of the columns of one panel of product.y.
void Task(ConstMatrix x, const Product& product, int64_t panel, int64_t begin, int64_t end) {
  const int64_t width = PanelColumns(), first = panel * width, in = x.cols;
  const int64_t count = std::min(width, product.y.cols - first);
  const int64_t depths = (in + kMostDepth - 1) / kMostDepth;
  const int64_t depth = ((in + depths - 1) / depths + kWeightGroup - 1) / kWeightGroup * kWeightGroup;
  const int64_t kept = depths > 1 ? end - begin : kBlockRows;  // rows whose sums wait for the next depth
  float* const packed = thread_scratch<struct Packed>((depth + kept) * width);
  for (int64_t from = 0; from < in; from += depth) {
    const int64_t part = std::min(depth, in - from);
    PackPanel(product.layer->weight(), first, count, from, part, packed);
    for (int64_t row = begin; row < end; row += kBlockRows) {
      const int64_t rows = std::min<int64_t>(kBlockRows, end - row);
      float* const sums = packed + depth * width + (depths > 1 ? (row - begin) * width : 0);
      Rows(x.slice_rows(row, rows).slice_cols(from, part), part, packed, from > 0, sums);
      if (from + part < in) continue;
      for (int64_t r = 0; r < rows; ++r) FinishRow(product, row + r, first, count, sums + r * width);
    }
  }
}

}  // namespace HWY_NAMESPACE
}  // namespace galago::kernels::cpu
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace galago::kernels::cpu {
HWY_EXPORT(PanelColumns);
HWY_EXPORT(Task);

namespace {

constexpr int64_t kMostRows = 2048;   // of a task, which keeps sums of them
constexpr int64_t kFewestRows = 256;  // for which packing a panel is a small part of the work

/// Into how many parts the rows are divided: as few as keep every thread busy.
int64_t row_parts(int64_t rows, int64_t panels) {
  const int64_t needed = (rows + kMostRows - 1) / kMostRows;
  const int64_t wanted = (threads() * kPartsPerThread + panels - 1) / panels;
  return std::max(needed, std::min(wanted, rows / kFewestRows));
}

}  // namespace

void many_row_products(ConstMatrix x, std::span<const Product> products) {
  const int64_t width = HWY_DYNAMIC_DISPATCH(PanelColumns)();
  const auto panels = [width](const Product& product) { return (product.y.cols + width - 1) / width; };
  int64_t all = 0;
  for (const Product& product : products) all += panels(product);
  const int64_t parts = row_parts(x.rows, all);
  parallel_parts(all * parts, [&](int64_t task) {
    const int64_t part = task / all;
    int64_t panel = task % all;
    const Product* product = products.data();
    for (; panel >= panels(*product); ++product) panel -= panels(*product);
    // Parts begin at whole blocks, which are the fastest.
    const auto row = [&](int64_t p) { return p == parts ? x.rows : x.rows * p / parts / 8 * 8; };
    HWY_DYNAMIC_DISPATCH(Task)(x, *product, panel, row(part), row(part + 1));
  });
}

}  // namespace galago::kernels::cpu
#endif
