// Attention of a tile of query rows of one head, block of keys by block of keys: scores, their exponentials
// and the weighted sum of values, so that scores never leave the cache. The largest score so far rescales
// what was summed before, which gives the softmax over all keys (Milakov and Gimelshein, arXiv:1805.02867).
// Packed keys carry the factor of the scores. Packed order: panels of kPanel = 2 vectors; keys [panel of
// keys][head_dim][kPanel], values [panel of columns][key][kPanel], both padded with zeros. With products of
// bfloat16 a place of 4 bytes holds a pair of columns of keys, or the values of a pair of keys. With int8 it
// holds four columns of keys, whose factors follow the panels; softmax weights and values stay bfloat16.
#include "kernels/cpu/simd.h"
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/cpu/tile_attention.cc"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

#include <algorithm>
#include <cstring>
#include <limits>

#include "kernels/cpu/activation-inl.h"
#include "kernels/cpu/amx.h"
#include "kernels/cpu/attention.h"
#include "kernels/cpu/bf16.h"
#include "kernels/cpu/block-inl.h"
#include "kernels/cpu/int8.h"
#include "kernels/cpu/int8_block-inl.h"
#include "kernels/cpu/int8_rows-inl.h"
#include "kernels/cpu/load-inl.h"
#include "kernels/cpu/parallel.h"
#include "kernels/cpu/transpose-inl.h"

HWY_BEFORE_NAMESPACE();
namespace galago::kernels::cpu {
namespace HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

constexpr int kVectors = kBf16HeadVectors;  // of a panel
constexpr int kBlockRows = kSums / kVectors;

int64_t Lanes() { return static_cast<int64_t>(hn::Lanes(Floats())); }
int64_t Panel() { return kVectors * Lanes(); }
int64_t RoundUp(int64_t n, int64_t unit) { return (n + unit - 1) / unit * unit; }

int64_t PackedSize(int64_t count, int64_t head_dim) {
  return std::max(RoundUp(count, Panel()) * head_dim, RoundUp(head_dim, Panel()) * RoundUp(count, Panel()));
}

int64_t TileScratch(int64_t head_dim) {
  return kTileRows * (kKeyBlock + RoundUp(head_dim, Panel()) + kKeyBlock / 2 + RoundUp(head_dim, 2) / 2);
}

/// to[0..count) = elements as floats, times factor.
template <class Element>
HWY_INLINE void Widen(const std::byte* from, int64_t count, float factor, float* to) {
  const auto times = hn::Set(Floats(), factor);
  const int64_t lanes = Lanes(), whole = count - count % lanes;
  for (int64_t c = 0; c < whole; c += lanes)
    hn::StoreU(hn::Mul(Element::Load(from + c * Element::kBytes), times), Floats(), to + c);
  for (int64_t c = whole; c < count; ++c) to[c] = Element::One(from + c * Element::kBytes) * factor;
}

/// The arithmetic of the product with the values.
constexpr Arithmetic OfValues(Arithmetic kind) { return kind == Arithmetic::int8 ? Arithmetic::bf16 : kind; }

/// Places of 4 bytes that `count` numbers take.
template <Arithmetic kKind>
constexpr int64_t Places(int64_t count) {
  const int64_t numbers = kKind == Arithmetic::int8 ? 4 : kKind == Arithmetic::bf16 ? 2 : 1;
  return (count + numbers - 1) / numbers;
}

template <class Element, Arithmetic kKind>
void PackKeys(const StoredRows& keys, float scale, float* packed) {
  constexpr int64_t kPart = 128;  // columns that are widened and turned together
  const int64_t panel = Panel(), lanes = Lanes(), dim = keys.cols;
  HWY_ALIGN float part[hn::MaxLanes(Floats()) * kPart];
  for (int64_t first = 0; first < RoundUp(keys.rows, panel); first += lanes)
    for (int64_t c = 0; c < dim; c += kPart) {
      const int64_t count = std::min(kPart, dim - c);
      for (int64_t r = 0; r < lanes; ++r) {
        float* const row = part + r * kPart;
        if (first + r >= keys.rows) {
          std::fill_n(row, count, 0.0f);
          continue;
        }
        float floats[kPart];
        Widen<Element>(keys.row(first + r) + c * Element::kBytes, count, scale,
                       kKind == Arithmetic::bf16 ? floats : row);
        if constexpr (kKind == Arithmetic::bf16)
          round_to_bf16(floats, count, reinterpret_cast<uint16_t*>(row));
      }
      Transpose(
          part, kPart, Places<kKind>(count),
          packed + first / panel * panel * Places<kKind>(dim) + Places<kKind>(c) * panel + first % panel,
          panel);
    }
}

/// The lines of a row that is read soon. Rows are far apart, and finding the largest number of one takes so
/// many steps that the processor does not look ahead to the next one.
HWY_INLINE void PrefetchRow(const void* row, int64_t bytes) {
  const auto* const from = static_cast<const char*>(row);
  for (int64_t b = 0; b < bytes; b += 64) __builtin_prefetch(from + b);
}

/// Keys as whole numbers: the panels, and then the factor of each key.
template <class Element>
void PackInt8Keys(const StoredRows& keys, float scale, float* packed) {
  const int64_t panel = Panel(), lanes = Lanes(), dim = keys.cols, places = Places<Arithmetic::int8>(dim);
  const int64_t padded = RoundUp(keys.rows, panel);
  float* const factors = packed + padded * places;
  float* const rows = thread_scratch<struct Int8Keys>(lanes * places + dim);
  float* const floats = rows + lanes * places;
  for (int64_t first = 0; first < padded; first += lanes) {
    for (int64_t r = 0; r < lanes; ++r) {
      float* const row = rows + r * places;
      factors[first + r] = 0;
      row[places - 1] = 0;
      if (first + r >= keys.rows) {
        std::fill_n(row, places, 0.0f);
        continue;
      }
      if (first + r + lanes < keys.rows) PrefetchRow(keys.row(first + r + lanes), dim * Element::kBytes);
      Widen<Element>(keys.row(first + r), dim, scale, floats);
      const auto* const numbers = reinterpret_cast<const std::byte*>(floats);
      Sizes sizes;
      sizes.Take<F32>(numbers, dim);
      const Int8Scale own = sizes.Scale();
      factors[first + r] = own.factor;
      if (own.inverse == 0)
        std::fill_n(row, places, 0.0f);
      else
        ToIntegers<F32>(numbers, dim, own.inverse, reinterpret_cast<ByteProducts::Number*>(row));
    }
    Transpose(rows, places, places, packed + first / panel * panel * places + first % panel, panel);
  }
}

template <class Element, Arithmetic kKind>
void PackValues(const StoredRows& values, float* packed) {
  const int64_t panel = Panel(), padded = RoundUp(values.rows, panel), dim = values.cols;
  constexpr int64_t kMost = kVectors * hn::MaxLanes(Floats());
  for (int64_t first = 0; first < dim; first += panel) {
    const int64_t cols = std::min(panel, dim - first);
    const auto read = [&](int64_t row, float* to) {
      if (row >= values.rows || cols < panel) std::fill_n(to, panel, 0.0f);
      if (row < values.rows) Widen<Element>(values.row(row) + first * Element::kBytes, cols, 1, to);
    };
    float* to = packed + first * Places<kKind>(padded);
    for (int64_t r = 0; r < Places<kKind>(padded); ++r, to += panel) {
      if constexpr (kKind == Arithmetic::f32) {
        read(r, to);
        continue;
      }
      float floats[2][kMost];
      uint16_t halves[2][kMost];
      for (int64_t i = 0; i < 2; ++i) {
        read(2 * r + i, floats[i]);
        round_to_bf16(floats[i], panel, halves[i]);
      }
      auto* const pairs = reinterpret_cast<uint32_t*>(to);
      for (int64_t c = 0; c < panel; ++c) pairs[c] = halves[0][c] | static_cast<uint32_t>(halves[1][c]) << 16;
    }
  }
}

template <class Element, Arithmetic kKind>
void PackElements(const StoredRows& keys, const StoredRows& values, float scale, const PackedPlaces& packed) {
  if constexpr (kKind == Arithmetic::int8)
    PackInt8Keys<Element>(keys, scale, packed.keys);
  else
    PackKeys<Element, kKind>(keys, scale, packed.keys);
  PackValues<Element, OfValues(kKind)>(values, packed.values);
}

template <class Element>
void PackHeadOf(const StoredRows& keys, const StoredRows& values, float scale, Arithmetic arithmetic,
                const PackedPlaces& packed) {
  switch (arithmetic) {
    case Arithmetic::f32:
      return PackElements<Element, Arithmetic::f32>(keys, values, scale, packed);
    case Arithmetic::bf16:
      return PackElements<Element, Arithmetic::bf16>(keys, values, scale, packed);
    case Arithmetic::int8:
      return PackElements<Element, Arithmetic::int8>(keys, values, scale, packed);
  }
}

void PackHead(const StoredRows& keys, const StoredRows& values, float scale, Arithmetic arithmetic,
              const PackedPlaces& packed) {
  (keys.dtype == DType::f16 ? PackHeadOf<F16> : PackHeadOf<F32>)(keys, values, scale, arithmetic, packed);
}

/// c [rows, panels] (+)= a [rows, places] times the panels.
template <Arithmetic kKind>
void Multiply(const ConstMatrix& a, const Panels& panels, bool accumulate, bool amx, const Matrix& c) {
  if constexpr (kKind == Arithmetic::bf16)
    if (amx) return amx_rows<AmxNumbers::pairs, kVectors>(a, panels, accumulate, c, NoPrefetch());
  int64_t row = 0;
  const auto some_rows = [&](int64_t count, const auto& block) {
    const ConstMatrix rows = a.slice_rows(row, count);
    for (int64_t p = 0; p < panels.count; ++p) {
      const Matrix to(c.row(row) + p * Panel(), count, Panel(), c.stride);
      block(rows, panels.first + p * panels.stride, accumulate, to, NoPrefetch());
    }
    row += count;
  };
  if constexpr (kKind == Arithmetic::bf16) {
    while (row < a.rows)
      some_rows(std::min<int64_t>(kBlockRows, a.rows - row), bf16_block<kVectors, NoPrefetch>);
  } else {
    const auto step = [&]<int kRows>() {
      while (row + kRows <= a.rows) some_rows(kRows, Block<kRows, kVectors, NoPrefetch>);
    };
    step.template operator()<kBlockRows>();
    step.template operator()<4>();
    step.template operator()<1>();
  }
}

/// The first `count` numbers of every row as the operand of a product: as they are, or rounded into `pairs`.
template <Arithmetic kKind>
ConstMatrix Operand(ConstMatrix x, int64_t count, float* pairs) {
  if constexpr (kKind == Arithmetic::f32) return {x.data, x.rows, count, x.stride};
  const int64_t places = Places<kKind>(count);
  for (int64_t r = 0; r < x.rows; ++r)
    round_to_bf16(x.row(r), count, reinterpret_cast<uint16_t*>(pairs + r * places));
  return {pairs, x.rows, places};
}

/// The rows of a tile of queries as an operand: q . k for keys from `first` on, whole panels.
template <Arithmetic kKind>
class Queries {
 public:
  Queries(ConstMatrix q, bool amx, float* places) : rows_(Operand<kKind>(q, q.cols, places)), amx_(amx) {}
  void Scores(const PackedHead& head, int64_t first, int64_t panels, const Matrix& scores) const {
    Multiply<kKind>(rows_, {head.keys + first * rows_.cols, panels, Panel() * rows_.cols}, false, amx_,
                    scores);
  }

 private:
  ConstMatrix rows_;
  bool amx_;
};

template <>
class Queries<Arithmetic::int8> {
 public:
  Queries(ConstMatrix q, bool amx, float* places)
      : rows_(places, q.rows, Places<Arithmetic::int8>(q.cols)), amx_(amx) {
    for (int64_t r = 0; r < q.rows; ++r) PrefetchRow(q.row(r), 4 * q.cols);
    for (int64_t r = 0; r < q.rows; ++r)
      Int8Row<ByteProducts>(q.row(r), q.cols, places + r * rows_.cols, factors_ + r, starts_ + r);
  }
  void Scores(const PackedHead& head, int64_t first, int64_t panels, const Matrix& scores) const {
    const float* const factors = head.keys + RoundUp(head.count, Panel()) * rows_.cols;
    Int8End end{.factors = factors_,
                .starts = starts_,
                .columns = factors + first,
                .is_first = true,
                .is_last = true};
    const Panels all{head.keys + first * rows_.cols, panels, Panel() * rows_.cols};
    if (amx_) return Int8AmxRows<kVectors>(rows_, all, end, scores, NoPrefetch());
    for (int64_t p = 0; p < panels; ++p, end.columns += Panel())
      Int8BlockRows<ByteProducts, kVectors>(rows_, all.first + p * all.stride, end,
                                            scores.slice_cols(p * Panel(), Panel()), NoPrefetch());
  }

 private:
  ConstMatrix rows_;
  bool amx_;
  float factors_[kTileRows];
  int32_t starts_[kTileRows];
};

/// Scores get their bias, hidden ones -infinity up to a whole vector. Returns how many these are; `largest`
/// is the largest so far, before and after.
int64_t Mask(float* scores, const float* bias, Range visible, float& largest) {
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
  largest = hn::GetLane(hn::MaxOfLanes(d, most));
  return whole;
}

/// x[i] = exp(x[i] - largest) for i < count, whole vectors; returns their sum.
float Exponentials(float* x, float largest, int64_t count) {
  const Floats d;
  const int64_t lanes = Lanes();
  const auto most = hn::Set(d, largest);
  auto sum = hn::Zero(d);
  for (int64_t c = 0; c < count; c += lanes) {
    const auto e = FastExp(d, hn::Sub(hn::LoadU(d, x + c), most));
    hn::StoreU(e, d, x + c);
    sum = hn::Add(sum, e);
  }
  return hn::GetLane(hn::SumOfLanes(d, sum));
}

void ScaleInto(const float* from, float factor, int64_t n, float* to) {
  const Floats d;
  const auto times = hn::Set(d, factor);
  const int64_t lanes = Lanes(), whole = n - n % lanes;
  for (int64_t c = 0; c < whole; c += lanes) hn::StoreU(hn::Mul(hn::LoadU(d, from + c), times), d, to + c);
  for (int64_t c = whole; c < n; ++c) to[c] = from[c] * factor;
}

/// The softmax weights of `count` scores, whole vectors, as the operand of the product with the values;
/// returns their sum. `to` may be `scores` in float32.
template <Arithmetic kKind>
float Weights(float* scores, float largest, int64_t count, float* to) {
  if constexpr (kKind == Arithmetic::bf16)
    return exp_to_bf16(scores, largest, count, reinterpret_cast<uint16_t*>(to));
  else
    return Exponentials(scores, largest, count);
}

template <Arithmetic kKeys>
void AttendWith(const Tile& tile, const PackedHead& head, bool amx) {
  constexpr Arithmetic kKind = OfValues(kKeys);
  const int64_t rows = tile.q.rows, dim = tile.q.cols, panel = Panel();
  const Matrix scores(tile.scratch, rows, kKeyBlock);
  const Matrix sums(scores.data + kTileRows * kKeyBlock, rows, RoundUp(dim, panel));
  float* const pairs = sums.data + kTileRows * sums.cols;
  const Matrix weights(kKind == Arithmetic::bf16 ? pairs : scores.data, rows, Places<kKind>(kKeyBlock));
  const Queries<kKeys> queries(tile.q, amx, pairs + kTileRows * kKeyBlock / 2);
  float largest[kTileRows], total[kTileRows];
  int64_t first = head.count, last = 0;
  for (int64_t r = 0; r < rows; ++r) {
    largest[r] = std::numeric_limits<float>::lowest();
    total[r] = 0;
    first = std::min(first, tile.ranges[r].begin);
    last = std::max(last, tile.ranges[r].end);
  }
  std::fill_n(sums.data, rows * sums.cols, 0.0f);
  const int64_t value_panel = Places<kKind>(RoundUp(head.count, panel)) * panel;
  for (int64_t key = first / kKeyBlock * kKeyBlock; key < last; key += kKeyBlock) {
    const int64_t count = std::min(kKeyBlock, last - key), width = RoundUp(count, panel);
    queries.Scores(head, key, width / panel, scores);
    for (int64_t r = 0; r < rows; ++r) {
      const Range visible = {std::clamp<int64_t>(tile.ranges[r].begin - key, 0, count),
                             std::clamp<int64_t>(tile.ranges[r].end - key, 0, count)};
      if (visible.begin >= visible.end) {
        std::fill_n(weights.row(r), Places<kKind>(width), 0.0f);
        continue;
      }
      const float before = largest[r];
      const int64_t whole = Mask(scores.row(r), head.bias ? head.bias + key : nullptr, visible, largest[r]);
      const float sum = Weights<kKind>(scores.row(r), largest[r], whole, weights.row(r));
      std::fill(weights.row(r) + Places<kKind>(whole), weights.row(r) + Places<kKind>(width), 0.0f);
      const bool first_seen = before == std::numeric_limits<float>::lowest();  // and nothing summed yet
      const float shrink = first_seen ? 1 : std::exp(before - largest[r]);
      total[r] = total[r] * shrink + sum;
      if (shrink != 1) ScaleInto(sums.row(r), shrink, sums.cols, sums.row(r));
    }
    Multiply<kKind>(weights.slice_cols(0, Places<kKind>(count)),
                    {head.values + Places<kKind>(key) * panel, sums.cols / panel, value_panel}, true, amx,
                    sums);
  }
  for (int64_t r = 0; r < rows; ++r) ScaleInto(sums.row(r), 1 / total[r], dim, tile.out.row(r));
}

void AttendTile(const Tile& tile, const PackedHead& head, const TileProducts& products) {
  switch (products.arithmetic) {
    case Arithmetic::f32:
      return AttendWith<Arithmetic::f32>(tile, head, products.amx);
    case Arithmetic::bf16:
      return AttendWith<Arithmetic::bf16>(tile, head, products.amx);
    case Arithmetic::int8:
      return AttendWith<Arithmetic::int8>(tile, head, products.amx);
  }
}

}  // namespace HWY_NAMESPACE
}  // namespace galago::kernels::cpu
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace galago::kernels::cpu {
HWY_EXPORT(Panel);
HWY_EXPORT(PackedSize);
HWY_EXPORT(TileScratch);
HWY_EXPORT(PackHead);
HWY_EXPORT(AttendTile);

int64_t packed_size(int64_t count, int64_t head_dim) {
  return HWY_DYNAMIC_DISPATCH(PackedSize)(count, head_dim);
}

int64_t tile_scratch(int64_t head_dim) { return HWY_DYNAMIC_DISPATCH(TileScratch)(head_dim); }

void pack_head(const StoredRows& keys, const StoredRows& values, float scale, Arithmetic arithmetic,
               const PackedPlaces& packed) {
  HWY_DYNAMIC_DISPATCH(PackHead)(keys, values, scale, arithmetic, packed);
}

void attend_tile(const Tile& tile, const PackedHead& head, const TileProducts& products) {
  HWY_DYNAMIC_DISPATCH(AttendTile)(tile, head, products);
}

TileProducts tile_products(const Ways& ways, Arithmetic wanted, int64_t head_dim) {
  const bool pairs =
      has_bf16_products() && HWY_DYNAMIC_DISPATCH(Panel)() == kBf16HeadVectors * 16 && head_dim % 2 == 0;
  if (wanted == Arithmetic::f32 || !pairs) return {};
  const bool bytes = wanted == Arithmetic::int8 && has_int8_way(Int8Way::bytes);
  return {bytes ? Arithmetic::int8 : Arithmetic::bf16, ways.amx_depth > 0 && has_amx()};
}

}  // namespace galago::kernels::cpu
#endif
