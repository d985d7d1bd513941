// Attention of one query row over some keys, for decoding: bound by reading, so keys and values are read once
// and in the order in which they lie, all heads of a position together. In: q [heads, head_dim], keys and
// values as they lie in the cache, page by page. Out: for each head the exp-weighted sum of values, not yet
// divided, and how such sums join.
#include "kernels/cpu/simd.h"
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/cpu/row_attention.cc"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "kernels/cpu/activation-inl.h"
#include "kernels/cpu/attention.h"
#include "kernels/cpu/load-inl.h"
#include "kernels/cpu/prefetch.h"
#include "kernels/cpu/sums-inl.h"

HWY_BEFORE_NAMESPACE();
namespace galago::kernels::cpu {
namespace HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

/// Where rows of keys or values begin.
struct Places {
  const std::byte* const* at;
  int64_t count;
};

/// Those of the rows, to `to`.
Places PlacesOf(const StoredRows& rows, const std::byte** to) {
  const int64_t pitch = rows.pitch();
  for (int64_t r = 0; r < rows.rows;) {
    const std::byte* const run = rows.row(r);
    const int64_t left = rows.page_rows() - ((rows.first + r) & (rows.page_rows() - 1));
    const int64_t end = std::min(rows.rows, r + left);
    for (int64_t i = 0; r < end; ++r, ++i) to[r] = run + i * pitch;
  }
  return {to, rows.rows};
}

/// Rows between one that is read and the one that is asked for.
int64_t Distance(const StoredRows& rows, int64_t bytes) {
  return bytes == 0 ? 0 : std::max<int64_t>(1, bytes / rows.pitch());
}

/// Heads that read the same columns.
struct Heads {
  int64_t first;   // of a row
  int64_t column;  // of keys and values
};

/// body<n>(heads) for all heads of a row, up to four with the same columns at a time.
template <class Body>
HWY_INLINE void ForHeads(const QueryRow& row, const Body& body) {
  const int64_t group = row.heads / row.kv_heads;
  for (int64_t kv = 0; kv < row.kv_heads; ++kv) {
    Heads heads{kv * group, kv * row.head_dim};
    int64_t left = group;
    for (; left >= 4; left -= 4, heads.first += 4) body.template operator()<4>(heads);
    if (left == 3) body.template operator()<3>(heads);
    if (left == 2) body.template operator()<2>(heads);
    if (left == 1) body.template operator()<1>(heads);
  }
}

/// scores[h * keys.count + k] = scale q_h . k for kHeads heads and kKeys keys (4 or 1) from `first` on.
/// Asks for as many rows at `fetch`.
template <int kHeads, int kKeys, class Element, class Ahead>
HWY_INLINE void Scores(const QueryRow& row, const Heads& heads, const Places& keys, int64_t first,
                       const std::byte* const* fetch, float* scores) {
  const Floats d;
  const int64_t lanes = static_cast<int64_t>(hn::Lanes(d)), dim = row.head_dim;
  const float* const q = row.q + heads.first * dim;
  const std::byte *at[kKeys], *next[kKeys];
  for (int k = 0; k < kKeys; ++k) {
    at[k] = keys.at[first + k] + heads.column * Element::kBytes;
    next[k] = fetch[k] + heads.column * Element::kBytes;
  }
  hn::Vec<Floats> sums[kHeads][kKeys];
  for (int h = 0; h < kHeads; ++h)
    for (int k = 0; k < kKeys; ++k) sums[h][k] = hn::Zero(d);
  int64_t c = 0;
  for (; c + lanes <= dim; c += lanes) {
    hn::Vec<Floats> key[kKeys];
    for (int k = 0; k < kKeys; ++k) {
      key[k] = Element::Load(at[k] + c * Element::kBytes);
      Ahead().at(next[k] + c * Element::kBytes);
    }
    for (int h = 0; h < kHeads; ++h) {
      const auto qv = hn::LoadU(d, q + h * dim + c);
      for (int k = 0; k < kKeys; ++k) sums[h][k] = hn::MulAdd(qv, key[k], sums[h][k]);
    }
  }
  for (int h = 0; h < kHeads; ++h) {
    float dots[kKeys];
    if constexpr (kKeys == 4)
      StoreSums(sums[h][0], sums[h][1], sums[h][2], sums[h][3], dots);
    else
      dots[0] = hn::GetLane(hn::SumOfLanes(d, sums[h][0]));
    for (int k = 0; k < kKeys; ++k) {
      for (int64_t t = c; t < dim; ++t) dots[k] += q[h * dim + t] * Element::One(at[k] + t * Element::kBytes);
      scores[(heads.first + h) * keys.count + first + k] = dots[k] * row.scale;
    }
  }
}

/// All scores of a row. The values' places follow the keys': asking goes on with the first values.
template <class Element, class Ahead>
void AllScores(const QueryRow& row, const Places& keys, int64_t distance, float* scores) {
  const auto some = [&]<int kKeys>(int64_t k) {
    const std::byte* const* const fetch = keys.at + std::min(k + distance, 2 * keys.count - kKeys);
    ForHeads(row, [&]<int kHeads>(const Heads& heads) {
      Scores<kHeads, kKeys, Element, Ahead>(row, heads, keys, k, fetch, scores);
    });
  };
  int64_t k = 0;
  for (; k + 4 <= keys.count; k += 4) some.template operator()<4>(k);
  for (; k < keys.count; ++k) some.template operator()<1>(k);
}

/// scores[0..count) become exp(score - largest).
Partial Exponentials(float* scores, int64_t count) {
  const Floats d;
  const int64_t lanes = static_cast<int64_t>(hn::Lanes(d)), whole = count - count % lanes;
  float largest = -std::numeric_limits<float>::infinity();
  int64_t k = 0;
  if (whole > 0) {
    auto most = hn::LoadU(d, scores);
    for (k = lanes; k < whole; k += lanes) most = hn::Max(most, hn::LoadU(d, scores + k));
    largest = hn::GetLane(hn::MaxOfLanes(d, most));
  }
  for (; k < count; ++k) largest = std::max(largest, scores[k]);
  auto sums = hn::Zero(d);
  for (k = 0; k < whole; k += lanes) {
    const auto e = FastExp(d, hn::Sub(hn::LoadU(d, scores + k), hn::Set(d, largest)));
    hn::StoreU(e, d, scores + k);
    sums = hn::Add(sums, e);
  }
  float sum = hn::GetLane(hn::SumOfLanes(d, sums));
  for (; k < count; ++k) sum += scores[k] = std::exp(scores[k] - largest);
  return {largest, sum};
}

/// Keys [first, end) of those whose values lie at `places`.
struct ValueRange {
  Places places;
  int64_t first, end;
  int64_t distance;  // to the row that is asked for
};

/// out[h * head_dim + begin ..] of kHeads heads: kVectors vectors of the sum over the keys of a range of
/// weight * value, added to what is there unless they are the first.
template <int kHeads, int kVectors, class Element, class Ahead>
HWY_INLINE void WeightedSum(const float* weights, const ValueRange& range, int64_t column,
                            float* const (&out)[kHeads]) {
  const Floats d;
  const int64_t lanes = static_cast<int64_t>(hn::Lanes(d)), count = range.places.count;
  const std::byte* const* const at = range.places.at;
  hn::Vec<Floats> sums[kHeads][kVectors];
  for (int h = 0; h < kHeads; ++h)
    for (int v = 0; v < kVectors; ++v)
      sums[h][v] = range.first == 0 ? hn::Zero(d) : hn::LoadU(d, out[h] + v * lanes);
  for (int64_t k = range.first; k < range.end; ++k) {
    const std::byte* const here = at[k] + column * Element::kBytes;
    const std::byte* const next = at[std::min(k + range.distance, count - 1)] + column * Element::kBytes;
    hn::Vec<Floats> value[kVectors];
    for (int v = 0; v < kVectors; ++v) {
      value[v] = Element::Load(here + v * lanes * Element::kBytes);
      Ahead().at(next + v * lanes * Element::kBytes);
    }
    for (int h = 0; h < kHeads; ++h) {
      const auto weight = hn::Set(d, weights[h * count + k]);
      for (int v = 0; v < kVectors; ++v) sums[h][v] = hn::MulAdd(weight, value[v], sums[h][v]);
    }
  }
  for (int h = 0; h < kHeads; ++h)
    for (int v = 0; v < kVectors; ++v) hn::StoreU(sums[h][v], d, out[h] + v * lanes);
}

/// The weighted sums of kHeads heads over a range.
template <int kHeads, class Element, class Ahead>
HWY_INLINE void Sums(const QueryRow& row, const Heads& heads, const float* weights, const ValueRange& range,
                     float* out) {
  constexpr int kVectors = hn::MaxLanes(Floats()) >= 16 ? 4 : 2;  // as many as registers hold sums
  const int64_t lanes = static_cast<int64_t>(hn::Lanes(Floats())), dim = row.head_dim;
  const int64_t count = range.places.count;
  weights += heads.first * count;
  float* to[kHeads];
  for (int h = 0; h < kHeads; ++h) to[h] = out + (heads.first + h) * dim;
  int64_t c = 0;
  const auto step = [&]<int kMany>() {
    WeightedSum<kHeads, kMany, Element, Ahead>(weights, range, heads.column + c, to);
    for (int h = 0; h < kHeads; ++h) to[h] += kMany * lanes;
    c += kMany * lanes;
  };
  while (c + kVectors * lanes <= dim) step.template operator()<kVectors>();
  while (c + lanes <= dim) step.template operator()<1>();
  for (; c < dim; ++c)
    for (int h = 0; h < kHeads; ++h) {
      float sum = range.first == 0 ? 0 : *to[h];
      for (int64_t k = range.first; k < range.end; ++k)
        sum +=
            weights[h * count + k] * Element::One(range.places.at[k] + (heads.column + c) * Element::kBytes);
      *to[h]++ = sum;
    }
}

template <class Element, class Ahead>
void Attend(const QueryRow& row, const StoredRows& key_rows, const StoredRows& value_rows,
            const RowScratch& scratch, const Ahead& ask, Partial* partials, float* out) {
  constexpr int64_t kRows = 16;  // of values that all heads go through while they are near
  const int64_t count = key_rows.rows, distance = Distance(key_rows, ask.bytes);
  const Places keys = PlacesOf(key_rows, scratch.rows), values = PlacesOf(value_rows, scratch.rows + count);
  AllScores<Element, Ahead>(row, keys, distance, scratch.scores);
  for (int64_t h = 0; h < row.heads; ++h) partials[h] = Exponentials(scratch.scores + h * count, count);
  for (int64_t first = 0; first < count; first += kRows) {
    const ValueRange range{values, first, std::min(first + kRows, count), distance};
    ForHeads(row, [&]<int kHeads>(const Heads& heads) {
      Sums<kHeads, Element, Ahead>(row, heads, scratch.scores, range, out);
    });
  }
}

void AttendRow(const QueryRow& row, const StoredRows& keys, const StoredRows& values,
               const RowScratch& scratch, Partial* partials, float* out) {
  with_ask(row.prefetch, [&](const auto& ask) {
    if (keys.dtype == DType::f16)
      Attend<F16>(row, keys, values, scratch, ask, partials, out);
    else
      Attend<F32>(row, keys, values, scratch, ask, partials, out);
  });
}

void JoinParts(const Partial* partials, const float* sums, int64_t parts, int64_t stride, int64_t head_dim,
               float* out) {
  const Floats d;
  const int64_t lanes = static_cast<int64_t>(hn::Lanes(d));
  float largest = partials[0].largest, total = 0;
  for (int64_t p = 1; p < parts; ++p) largest = std::max(largest, partials[p * stride].largest);
  float weights[kMostParts];
  for (int64_t p = 0; p < parts; ++p) {
    weights[p] = std::exp(partials[p * stride].largest - largest);
    total += partials[p * stride].sum * weights[p];
  }
  int64_t c = 0;
  for (; c + lanes <= head_dim; c += lanes) {
    auto sum = hn::Zero(d);
    for (int64_t p = 0; p < parts; ++p)
      sum = hn::MulAdd(hn::Set(d, weights[p]), hn::LoadU(d, sums + p * stride * head_dim + c), sum);
    hn::StoreU(hn::Div(sum, hn::Set(d, total)), d, out + c);
  }
  for (; c < head_dim; ++c) {
    float sum = 0;
    for (int64_t p = 0; p < parts; ++p) sum += weights[p] * sums[p * stride * head_dim + c];
    out[c] = sum / total;
  }
}

}  // namespace HWY_NAMESPACE
}  // namespace galago::kernels::cpu
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace galago::kernels::cpu {
HWY_EXPORT(AttendRow);
HWY_EXPORT(JoinParts);

void attend_row(const QueryRow& row, const StoredRows& keys, const StoredRows& values,
                const RowScratch& scratch, Partial* partials, float* out) {
  HWY_DYNAMIC_DISPATCH(AttendRow)(row, keys, values, scratch, partials, out);
}

void join_parts(const Partial* partials, const float* sums, int64_t parts, int64_t stride, int64_t head_dim,
                float* out) {
  HWY_DYNAMIC_DISPATCH(JoinParts)(partials, sums, parts, stride, head_dim, out);
}

}  // namespace galago::kernels::cpu
#endif
