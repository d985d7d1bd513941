// Attention of a tile of query rows of one head, block of keys by block of keys: scores, their exponentials
// and the weighted sum of values, so that scores never leave the cache. The largest score so far rescales
// what was summed before, which gives the softmax over all keys (Milakov and Gimelshein, arXiv:1805.02867).
// Packed keys carry the factor of the scores. Packed order: panels of kPanel = 2 vectors; keys [panel of
// keys][head_dim][kPanel], values [panel of columns][key][kPanel], both padded with zeros.
#include "kernels/cpu/simd.h"
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/cpu/tile_attention.cc"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

#include <algorithm>
#include <cstring>
#include <limits>

#include "kernels/cpu/activation-inl.h"
#include "kernels/cpu/attention.h"
#include "kernels/cpu/block-inl.h"
#include "kernels/cpu/load-inl.h"
#include "kernels/cpu/transpose-inl.h"

HWY_BEFORE_NAMESPACE();
namespace galago::kernels::cpu {
namespace HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

constexpr int kVectors = 2;  // of a panel
constexpr int kBlockRows = kSums / kVectors;

int64_t Lanes() { return static_cast<int64_t>(hn::Lanes(Floats())); }
int64_t Panel() { return kVectors * Lanes(); }
int64_t RoundUp(int64_t n, int64_t unit) { return (n + unit - 1) / unit * unit; }

int64_t PackedSize(int64_t count, int64_t head_dim) {
  return std::max(RoundUp(count, Panel()) * head_dim, RoundUp(head_dim, Panel()) * RoundUp(count, Panel()));
}

int64_t TileScratch(int64_t head_dim) { return kTileRows * (kKeyBlock + RoundUp(head_dim, Panel())); }

/// to[0..count) = elements as floats, times factor.
template <class Element>
HWY_INLINE void Widen(const std::byte* from, int64_t count, float factor, float* to) {
  const auto times = hn::Set(Floats(), factor);
  const int64_t lanes = Lanes(), whole = count - count % lanes;
  for (int64_t c = 0; c < whole; c += lanes)
    hn::StoreU(hn::Mul(Element::Load(from + c * Element::kBytes), times), Floats(), to + c);
  for (int64_t c = whole; c < count; ++c) to[c] = Element::One(from + c * Element::kBytes) * factor;
}

template <class Element>
void PackElements(const StoredRows& keys, const StoredRows& values, float scale, float* packed_keys,
                  float* packed_values) {
  constexpr int64_t kPart = 128;  // columns that are widened and turned together
  const int64_t panel = Panel(), lanes = Lanes(), dim = keys.cols;
  const auto at = [](const StoredRows& rows, int64_t row, int64_t col) {
    return rows.data + (row * rows.stride + col) * Element::kBytes;
  };
  const int64_t padded = RoundUp(keys.rows, panel);
  HWY_ALIGN float part[hn::MaxLanes(Floats()) * kPart];
  for (int64_t first = 0; first < padded; first += lanes)
    for (int64_t c = 0; c < dim; c += kPart) {
      const int64_t count = std::min(kPart, dim - c);
      for (int64_t r = 0; r < lanes; ++r) {
        if (first + r < keys.rows)
          Widen<Element>(at(keys, first + r, c), count, scale, part + r * kPart);
        else
          std::fill_n(part + r * kPart, count, 0.0f);
      }
      Transpose(part, kPart, count, packed_keys + first / panel * panel * dim + c * panel + first % panel,
                panel);
    }
  for (int64_t first = 0; first < dim; first += panel) {
    const int64_t cols = std::min(panel, dim - first);
    for (int64_t r = 0; r < padded; ++r) {
      float* to = packed_values + first * padded + r * panel;
      if (r >= keys.rows || cols < panel) std::fill_n(to, panel, 0.0f);
      if (r < keys.rows) Widen<Element>(at(values, r, first), cols, 1, to);
    }
  }
}

void PackHead(const StoredRows& keys, const StoredRows& values, float scale, float* packed_keys,
              float* packed_values) {
  if (keys.dtype == DType::f16)
    PackElements<F16>(keys, values, scale, packed_keys, packed_values);
  else
    PackElements<F32>(keys, values, scale, packed_keys, packed_values);
}

/// c [rows, panels] (+)= a [rows, depth] times `panels` panels that lie panel_stride floats apart.
void Multiply(ConstMatrix a, int64_t depth, const float* b, int64_t panels, int64_t panel_stride,
              bool accumulate, Matrix c) {
  int64_t row = 0;
  const auto step = [&]<int kRows>() {
    for (; row + kRows <= a.rows; row += kRows)
      for (int64_t p = 0; p < panels; ++p)
        Block<kRows, kVectors>(a.row(row), a.stride, depth, b + p * panel_stride, accumulate,
                               c.row(row) + p * Panel(), c.stride);
  };
  step.template operator()<kBlockRows>();
  step.template operator()<4>();
  step.template operator()<1>();
}

/// scores[0..width) become exp(score - largest) for the visible ones [begin, end) and 0 for the others.
/// Returns their sum; `largest` is the largest so far, before and after.
float Exponentials(float* scores, const float* bias, Range visible, int64_t width, float& largest) {
  const Floats d;
  const int64_t lanes = Lanes();
  constexpr float kHidden = -std::numeric_limits<float>::infinity();
  const int64_t whole = RoundUp(visible.end, lanes);
  std::fill(scores, scores + visible.begin, kHidden);
  std::fill(scores + visible.end, scores + whole, kHidden);
  auto most = hn::Set(d, largest);
  for (int64_t c = 0; c < whole; c += lanes) {
    auto s = hn::LoadU(d, scores + c);
    if (bias) hn::StoreU(s = hn::Add(s, hn::LoadU(d, bias + c)), d, scores + c);
    most = hn::Max(most, s);
  }
  most = hn::MaxOfLanes(d, most);
  largest = hn::GetLane(most);
  auto sum = hn::Zero(d);
  for (int64_t c = 0; c < whole; c += lanes) {
    const auto e = FastExp(d, hn::Sub(hn::LoadU(d, scores + c), most));
    hn::StoreU(e, d, scores + c);
    sum = hn::Add(sum, e);
  }
  std::fill(scores + whole, scores + width, 0.0f);
  return hn::GetLane(hn::SumOfLanes(d, sum));
}

void ScaleInto(const float* from, float factor, int64_t n, float* to) {
  for (int64_t c = 0; c < n; ++c) to[c] = from[c] * factor;
}

void AttendTile(const Tile& tile, const PackedHead& head) {
  const int64_t rows = tile.q.rows, dim = tile.q.cols, panel = Panel();
  const Matrix scores(tile.scratch, rows, kKeyBlock);
  const Matrix sums(scores.data + kTileRows * kKeyBlock, rows, RoundUp(dim, panel));
  float largest[kTileRows], total[kTileRows];
  int64_t first = head.count, last = 0;
  for (int64_t r = 0; r < rows; ++r) {
    largest[r] = std::numeric_limits<float>::lowest();
    total[r] = 0;
    first = std::min(first, tile.ranges[r].begin);
    last = std::max(last, tile.ranges[r].end);
  }
  std::fill_n(sums.data, rows * sums.cols, 0.0f);
  const int64_t value_panel = RoundUp(head.count, panel) * panel;
  for (int64_t key = first / kKeyBlock * kKeyBlock; key < last; key += kKeyBlock) {
    const int64_t count = std::min(kKeyBlock, last - key), width = RoundUp(count, panel);
    Multiply(tile.q, dim, head.keys + key * dim, width / panel, panel * dim, false, scores);
    for (int64_t r = 0; r < rows; ++r) {
      const Range visible = {std::clamp<int64_t>(tile.ranges[r].begin - key, 0, count),
                             std::clamp<int64_t>(tile.ranges[r].end - key, 0, count)};
      if (visible.begin >= visible.end) {
        std::fill_n(scores.row(r), width, 0.0f);
        continue;
      }
      const float before = largest[r];
      const float sum =
          Exponentials(scores.row(r), head.bias ? head.bias + key : nullptr, visible, width, largest[r]);
      const float shrink = std::exp(before - largest[r]);
      total[r] = total[r] * shrink + sum;
      if (shrink != 1) ScaleInto(sums.row(r), shrink, sums.cols, sums.row(r));
    }
    Multiply(scores, count, head.values + key * panel, sums.cols / panel, value_panel, true, sums);
  }
  for (int64_t r = 0; r < rows; ++r) ScaleInto(sums.row(r), 1 / total[r], dim, tile.out.row(r));
}

}  // namespace HWY_NAMESPACE
}  // namespace galago::kernels::cpu
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace galago::kernels::cpu {
HWY_EXPORT(PackedSize);
HWY_EXPORT(TileScratch);
HWY_EXPORT(PackHead);
HWY_EXPORT(AttendTile);

int64_t packed_size(int64_t count, int64_t head_dim) {
  return HWY_DYNAMIC_DISPATCH(PackedSize)(count, head_dim);
}

int64_t tile_scratch(int64_t head_dim) { return HWY_DYNAMIC_DISPATCH(TileScratch)(head_dim); }

void pack_head(const StoredRows& keys, const StoredRows& values, float scale, float* packed_keys,
               float* packed_values) {
  HWY_DYNAMIC_DISPATCH(PackHead)(keys, values, scale, packed_keys, packed_values);
}

void attend_tile(const Tile& tile, const PackedHead& head) { HWY_DYNAMIC_DISPATCH(AttendTile)(tile, head); }

}  // namespace galago::kernels::cpu
#endif
