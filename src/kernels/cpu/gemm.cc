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
#include <cstring>
#include <vector>

#include "kernels/cpu/amx.h"
#include "kernels/cpu/bf16.h"
#include "kernels/cpu/block-inl.h"
#include "kernels/cpu/chain-inl.h"
#include "kernels/cpu/int8.h"
#include "kernels/cpu/load-inl.h"
#include "kernels/cpu/panels-inl.h"
#include "kernels/cpu/parallel.h"
#include "kernels/cpu/products.h"
#include "kernels/cpu/quant.h"
#include "kernels/cpu/transpose-inl.h"
#include "kernels/cpu/weights_ahead.h"

HWY_BEFORE_NAMESPACE();
namespace galago::kernels::cpu {
namespace HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

constexpr int kPanelVectors = kBf16Vectors;
constexpr int64_t kChunk = 256;  // weights of a row that become floats at once

int64_t PanelColumns() { return kPanelVectors * static_cast<int64_t>(hn::Lanes(Floats())); }

// A panel and the rows that pass it are made of places of 4 bytes: a float, or a pair of bfloat16.

/// Places [begin, begin + count) of one row of weights.
template <Arithmetic kKind>
void ReadWeights(const WeightView& weights, int64_t row, int64_t begin, int64_t count, float* to) {
  if constexpr (kKind == Arithmetic::f32) {
    dequantise(weights, row, begin, count, to);
  } else if (weights.format == WeightFormat::bf16) {
    std::memcpy(to, weights.row(row) + begin * 4, static_cast<size_t>(count) * 4);
  } else {
    float floats[2 * kChunk];
    dequantise(weights, row, 2 * begin, 2 * count, floats);
    round_to_bf16(floats, 2 * count, reinterpret_cast<uint16_t*>(to));
  }
}

/// Places [begin, begin + depth) of as many quantised outputs from `row` on as a vector has lanes, from
/// panels to `to` [depth], rows `width` apart.
template <Arithmetic kKind>
void PackFromPanel(const WeightView& weights, int64_t row, int64_t begin, int64_t depth,
                   float* HWY_RESTRICT to, int64_t width) {
  if constexpr (kKind == Arithmetic::f32) return ColumnsOfPanel(weights, row, begin, depth, to, width);
  constexpr int64_t kPairs = 64;  // at once
  constexpr size_t kNumbers = 2 * kPairs * hn::MaxLanes(Floats());
  HWY_ALIGN float floats[kNumbers];
  HWY_ALIGN uint16_t rounded[kNumbers];
  const hn::RebindToUnsigned<Floats> wide;
  const hn::Rebind<uint16_t, Floats> narrow;
  const int64_t lanes = static_cast<int64_t>(hn::Lanes(Floats()));
  for (int64_t k = 0; k < depth; k += kPairs) {
    const int64_t pairs = std::min(kPairs, depth - k);
    ColumnsOfPanel(weights, row, 2 * (begin + k), 2 * pairs, floats, lanes);
    round_to_bf16(floats, 2 * pairs * lanes, rounded);
    for (int64_t p = 0; p < pairs; ++p) {
      const auto even = hn::PromoteTo(wide, hn::LoadU(narrow, rounded + 2 * p * lanes)),
                 odd = hn::PromoteTo(wide, hn::LoadU(narrow, rounded + (2 * p + 1) * lanes));
      hn::StoreU(hn::BitCast(Floats(), hn::Or(even, hn::ShiftLeft<16>(odd))), Floats(), to + (k + p) * width);
    }
  }
}

/// The weights of outputs [first, first + count) at places [begin, begin + depth) as a panel
/// [depth][PanelColumns()]; columns past count are zero.
template <Arithmetic kKind>
void PackPanel(const WeightView& weights, int64_t first, int64_t count, int64_t begin, int64_t depth,
               float* HWY_RESTRICT panel) {
  const int64_t lanes = static_cast<int64_t>(hn::Lanes(Floats())), width = PanelColumns();
  HWY_ALIGN float rows[hn::MaxLanes(Floats()) * kChunk];
  for (int64_t column = 0; column < width; column += lanes) {
    if (weights.in_panels() && column < count) {
      PackFromPanel<kKind>(weights, first + column, begin, depth, panel + column, width);
      continue;
    }
    for (int64_t k = 0; k < depth; k += kChunk) {
      const int64_t part = std::min(kChunk, depth - k);
      for (int64_t r = 0; r < lanes; ++r) {
        if (column + r < count)
          ReadWeights<kKind>(weights, first + column + r, begin + k, part, rows + r * kChunk);
        else
          std::fill_n(rows + r * kChunk, part, 0.0f);
      }
      Transpose(rows, kChunk, part, panel + k * width + column, width);
    }
  }
}

// How a block is multiplied: sums [rows of x, PanelColumns()] (+)= x [rows, depth] times the panel, at most
// kBlockRows rows; and what its places are.

struct FloatBlocks {
  static constexpr Arithmetic kKind = Arithmetic::f32;
  static constexpr int kBlockRows = kSums / kPanelVectors;
  static void Multiply(const ConstMatrix& x, const float* panel, bool accumulate, const Matrix& sums,
                       const Prefetch& prefetch) {
    int64_t row = 0;
    const auto step = [&]<int kRows>() {
      for (; row + kRows <= x.rows; row += kRows)
        Block<kRows, kPanelVectors>(x.slice_rows(row, kRows), panel, accumulate, sums.slice_rows(row, kRows),
                                    prefetch);
    };
    step.template operator()<kBlockRows>();
    step.template operator()<kBlockRows / 2>();
    step.template operator()<1>();
  }
};

struct PairBlocks {
  static constexpr Arithmetic kKind = Arithmetic::bf16;
  static constexpr int kBlockRows = FloatBlocks::kBlockRows;
  static void Multiply(const ConstMatrix& x, const float* panel, bool accumulate, const Matrix& sums,
                       const Prefetch& prefetch) {
    bf16_block<kPanelVectors>(x, panel, accumulate, sums, prefetch);
  }
};

struct AmxBlocks {
  static constexpr Arithmetic kKind = Arithmetic::bf16;
  static constexpr int kBlockRows = kAmxRows;
  static void Multiply(const ConstMatrix& x, const float* panel, bool accumulate, const Matrix& sums,
                       const Prefetch& prefetch) {
    amx_rows<AmxNumbers::pairs, kPanelVectors>(x, {panel}, accumulate, sums, prefetch);
  }
};

/// Rows [begin, end) of the columns of one panel; x in places.
template <class Blocks>
void PanelTask(ConstMatrix x, const Chain& chain, int64_t panel, int64_t begin, int64_t end) {
  constexpr Arithmetic kKind = Blocks::kKind;
  constexpr int64_t kBlockRows = Blocks::kBlockRows;
  constexpr int64_t kAhead = 2 * kBlockRows;  // rows between those that are prefetched and those in work
  const int64_t links = std::ssize(chain.products);
  const Product& written = chain.products.back();
  const int64_t width = PanelColumns(), first = panel * width, in = x.cols;
  const int64_t count = std::min(width, written.y.cols - first);
  const int64_t depth = chain.part_of(in);
  const bool whole = depth >= in;
  const int64_t kept = whole ? kBlockRows : end - begin;  // rows whose sums wait for the next depth
  float* const packed = thread_scratch<struct Packed>(links * (depth + kept) * width);
  const bool in_place = IsPlain(written) && !chain.pairs.data && count == width;
  const auto sums_of = [&](int64_t link, int64_t row, int64_t rows) -> Matrix {
    if (in_place && link + 1 == links) return written.y.slice_rows(row, rows).slice_cols(first, width);
    const int64_t place = links * depth + link * kept + (whole ? 0 : row - begin);
    return {packed + place * width, rows, count, width};
  };
  for (int64_t from = 0; from < in; from += depth) {
    const int64_t part = std::min(depth, in - from);
    for (int64_t i = 0; i < links; ++i)
      PackPanel<kKind>(chain.products[static_cast<size_t>(i)].layer->weight(), first, count, from, part,
                       packed + i * depth * width);
    constexpr int64_t kNumbers = kKind == Arithmetic::bf16 ? 2 : 1;  // in a place
    const int64_t blocks = (end - begin + kBlockRows - 1) / kBlockRows;
    WeightsAhead ahead(chain, next_part(chain, {first, width, kNumbers * from, kNumbers * depth}), blocks);
    for (int64_t row = begin; row < end; row += kBlockRows) {
      const int64_t rows = std::min<int64_t>(kBlockRows, end - row);
      const bool last_depth = from + part == in;
      const float* last = nullptr;
      for (int64_t i = 0; i < links; ++i) {
        const Matrix sums = sums_of(i, row, rows);
        Prefetch prefetch;
        if (i == 0 && row + 2 * kBlockRows <= end) prefetch.next = x.row(row + kBlockRows) + from;
        if (last_depth && i + 1 == links && row + kAhead + kBlockRows <= end)
          PrefetchWritten(chain, row + kAhead, first, count, prefetch);
        if (i == 0) ahead.step(prefetch);
        Blocks::Multiply(x.slice_rows(row, rows).slice_cols(from, part), packed + i * depth * width, from > 0,
                         sums, prefetch);
        if (last_depth) FinishBlock(chain, static_cast<size_t>(i), row, first, sums, last);
        last = sums.data;
      }
    }
  }
}

void Task(ConstMatrix x, const Chain& chain, int64_t panel, int64_t begin, int64_t end) {
  PanelTask<FloatBlocks>(x, chain, panel, begin, end);
}

void Bf16Task(ConstMatrix x, const Chain& chain, int64_t panel, int64_t begin, int64_t end) {
  if (chain.amx)
    PanelTask<AmxBlocks>(x, chain, panel, begin, end);
  else
    PanelTask<PairBlocks>(x, chain, panel, begin, end);
}

}  // namespace HWY_NAMESPACE
}  // namespace galago::kernels::cpu
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace galago::kernels::cpu {
HWY_EXPORT(PanelColumns);
HWY_EXPORT(Task);
HWY_EXPORT(Bf16Task);

namespace {

constexpr int64_t kMostRows = 2048;   // of a task, which keeps sums of them
constexpr int64_t kFewestRows = 256;  // for which packing a panel is a small part of the work
constexpr int64_t kOwnRows = 512;     // for which it costs less than rows that come from another thread

/// Into how many parts the rows are divided: one for each thread where packing a panel once more costs less
/// than it brings, and as many more as keep every thread busy.
int64_t row_parts(const Pool& pool, int64_t rows, int64_t panels) {
  const int64_t needed = (rows + kMostRows - 1) / kMostRows;
  const int64_t wanted = (pool.threads() * kTasksPerThread + panels - 1) / panels;
  const int64_t own = std::min<int64_t>(pool.threads(), rows / kOwnRows);
  return std::max({needed, own, std::min(wanted, rows / kFewestRows)});
}

bool in_pairs(const Product& product) {
  return product.layer->arithmetic() == Arithmetic::bf16 && product.layer->in_features() % 2 == 0 &&
         HWY_DYNAMIC_DISPATCH(PanelColumns)() == kBf16Vectors * 16 && has_bf16_products();
}

bool in_pairs(const Chain& chain) {
  return std::ranges::all_of(chain.products, [](const Product& product) { return in_pairs(product); });
}

/// Places for pairs of `cols` numbers a row, in scratch of the calling thread.
template <class Owner>
Matrix pairs_of(int64_t rows, int64_t cols) {
  const int64_t stride = row_stride(cols / 2);
  return {thread_scratch<Owner>(rows * stride), rows, cols / 2, stride};
}

/// x as pairs of bfloat16.
ConstMatrix rounded(Pool& pool, ConstMatrix x) {
  const Matrix pairs = pairs_of<struct Rounded>(x.rows, x.cols);
  parallel_for(pool, x.rows, x.cols, [&](int64_t begin, int64_t end) {
    for (int64_t r = begin; r < end; ++r)
      round_to_bf16(x.row(r), x.cols, reinterpret_cast<uint16_t*>(pairs.row(r)));
  });
  return pairs;
}

/// The products from i on that are made together.
std::span<const Product> links_from(std::span<const Product> products, size_t i) {
  size_t end = i + 1;
  while (end < products.size() && products[end].epilogue.factor.data == products[end - 1].y.data) ++end;
  return products.subspan(i, end - i);
}

bool in_int8(const Chain& chain, int64_t rows) {
  return std::ranges::all_of(chain.products,
                             [rows](const Product& product) { return cpu::in_int8(product, rows); });
}

/// Rows as floats, as pairs of bfloat16 or as whole numbers; what is missing is made of the floats.
struct Input {
  ConstMatrix floats;
  ConstMatrix pairs;
  Int8Rows integers;
};

/// All products of x; the last one's y as pairs in `last_pairs` if that has memory.
void multiply(Pool& pool, const Ways& ways, Input x, std::span<const Product> products, Matrix last_pairs) {
  const int64_t width = HWY_DYNAMIC_DISPATCH(PanelColumns)();
  const auto panels = [width](const Product& product) { return (product.y.cols + width - 1) / width; };
  const int64_t rows = products.front().y.rows;
  const bool amx = ways.amx_depth > 0 && has_amx();
  std::vector<Chain> chains;
  int64_t all = 0;
  for (size_t i = 0; i < products.size(); i += chains.back().products.size()) {
    Chain& chain = chains.emplace_back(Chain{links_from(products, i), {}, ways.panel_depth});
    all += panels(products[i]);
    const bool integers = in_int8(chain, rows), pairs = in_pairs(chain);
    if (integers && !x.integers.places.data) x.integers = int8_rows(pool, x.floats, int8_way(amx));
    if (pairs && !x.pairs.data) x.pairs = rounded(pool, x.floats);
    chain.amx = integers ? x.integers.way == Int8Way::amx : pairs && amx;
    if (chain.amx) chain.depth = ways.amx_depth;
  }
  chains.back().pairs = last_pairs;
  const int64_t parts = row_parts(pool, rows, all);
  parallel_tasks(pool, all * parts, [&](int64_t task) {
    const int64_t part = task / all;
    int64_t panel = task % all;
    auto chain = chains.begin();
    for (; panel >= panels(chain->products.front()); ++chain) panel -= panels(chain->products.front());
    // Parts begin at whole blocks, which are the fastest.
    const auto row = [&](int64_t p) { return p == parts ? rows : rows * p / parts / kAmxRows * kAmxRows; };
    if (in_int8(*chain, rows))
      int8_task(x.integers, *chain, panel, row(part), row(part + 1));
    else if (in_pairs(*chain))
      HWY_DYNAMIC_DISPATCH(Bf16Task)(x.pairs, *chain, panel, row(part), row(part + 1));
    else
      HWY_DYNAMIC_DISPATCH(Task)(x.floats, *chain, panel, row(part), row(part + 1));
  });
}

}  // namespace

void many_row_products(Pool& pool, const Ways& ways, ConstMatrix x, std::span<const Product> products) {
  multiply(pool, ways, {.floats = x}, products, {});
}

void many_row_feed_forward(Pool& pool, const Ways& ways, ConstMatrix x, std::span<const Product> in,
                           const Product& out) {
  const Matrix hidden = in.back().y;
  Matrix pairs;
  if (in_pairs(out)) pairs = pairs_of<struct Hidden>(hidden.rows, hidden.cols);
  multiply(pool, ways, {.floats = x}, in, pairs);
  multiply(pool, ways, {.floats = hidden, .pairs = pairs}, {&out, 1}, {});
}

}  // namespace galago::kernels::cpu
#endif
