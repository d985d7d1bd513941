// Attention of one query row over some keys, for decoding: bound by reading, so keys and values are read once
// and in the order in which they lie, all heads of a position together. In: q [heads, head_dim], keys and
// values as they lie in the cache. Out: for each head the exp-weighted sum of values, not yet divided, and
// how such sums join.
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
#include "kernels/cpu/products.h"
#include "kernels/cpu/sums-inl.h"

HWY_BEFORE_NAMESPACE();
namespace galago::kernels::cpu {
namespace HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

/// Keys or values whose element type is known.
template <class Element>
struct Rows {
  const std::byte* data;
  int64_t count, pitch;  // pitch: bytes from one row to the next

  explicit Rows(const StoredRows& rows)
      : data(rows.data), count(rows.rows), pitch(rows.stride * Element::kBytes) {}
  const std::byte* at(int64_t row, int64_t col) const { return data + row * pitch + col * Element::kBytes; }
  /// Rows between one that is read and the one that is prefetched.
  int64_t prefetch_rows() const { return std::max<int64_t>(1, kPrefetchBytes / pitch); }
};

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
/// Prefetches as many rows at `fetch`.
template <int kHeads, int kKeys, class Element>
HWY_INLINE void Scores(const QueryRow& row, const Heads& heads, const Rows<Element>& keys, int64_t first,
                       const std::byte* fetch, float* scores) {
  const Floats d;
  const int64_t lanes = static_cast<int64_t>(hn::Lanes(d)), dim = row.head_dim;
  const float* const q = row.q + heads.first * dim;
  hn::Vec<Floats> sums[kHeads][kKeys];
  for (int h = 0; h < kHeads; ++h)
    for (int k = 0; k < kKeys; ++k) sums[h][k] = hn::Zero(d);
  int64_t c = 0;
  for (; c + lanes <= dim; c += lanes) {
    hn::Vec<Floats> key[kKeys];
    for (int k = 0; k < kKeys; ++k) {
      key[k] = Element::Load(keys.at(first + k, heads.column + c));
      PrefetchOnce(fetch + k * keys.pitch + (heads.column + c) * Element::kBytes);
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
      for (int64_t t = c; t < dim; ++t)
        dots[k] += q[h * dim + t] * Element::One(keys.at(first + k, heads.column + t));
      scores[(heads.first + h) * keys.count + first + k] = dots[k] * row.scale;
    }
  }
}

/// All scores of a row. Prefetching goes on with the first values.
template <class Element>
void AllScores(const QueryRow& row, const Rows<Element>& keys, const Rows<Element>& values, float* scores) {
  const int64_t distance = keys.prefetch_rows();
  const auto some = [&]<int kKeys>(int64_t k) {
    const int64_t next = k + distance;
    const std::byte* const fetch = next < keys.count ? keys.at(next, 0) : values.at(next - keys.count, 0);
    ForHeads(row, [&]<int kHeads>(const Heads& heads) {
      Scores<kHeads, kKeys>(row, heads, keys, k, fetch, scores);
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

/// out[h * head_dim + begin ..] of kHeads heads: kVectors vectors of the sum over keys [first, end) of weight
/// * value, added to what is there unless `first` is 0. Prefetches the values `distance` rows later.
template <int kHeads, int kVectors, class Element>
HWY_INLINE void WeightedSum(const float* weights, const Rows<Element>& values, int64_t first, int64_t end,
                            int64_t column, int64_t distance, float* const (&out)[kHeads]) {
  const Floats d;
  const int64_t lanes = static_cast<int64_t>(hn::Lanes(d));
  hn::Vec<Floats> sums[kHeads][kVectors];
  for (int h = 0; h < kHeads; ++h)
    for (int v = 0; v < kVectors; ++v)
      sums[h][v] = first == 0 ? hn::Zero(d) : hn::LoadU(d, out[h] + v * lanes);
  for (int64_t k = first; k < end; ++k) {
    hn::Vec<Floats> value[kVectors];
    for (int v = 0; v < kVectors; ++v) {
      value[v] = Element::Load(values.at(k, column + v * lanes));
      PrefetchOnce(values.at(k + distance, column + v * lanes));
    }
    for (int h = 0; h < kHeads; ++h) {
      const auto weight = hn::Set(d, weights[h * values.count + k]);
      for (int v = 0; v < kVectors; ++v) sums[h][v] = hn::MulAdd(weight, value[v], sums[h][v]);
    }
  }
  for (int h = 0; h < kHeads; ++h)
    for (int v = 0; v < kVectors; ++v) hn::StoreU(sums[h][v], d, out[h] + v * lanes);
}

/// The weighted sums of kHeads heads over keys [first, end).
template <int kHeads, class Element>
HWY_INLINE void Sums(const QueryRow& row, const Heads& heads, const float* weights,
                     const Rows<Element>& values, int64_t first, int64_t end, float* out) {
  constexpr int kVectors = hn::MaxLanes(Floats()) >= 16 ? 4 : 2;  // as many as registers hold sums
  const int64_t lanes = static_cast<int64_t>(hn::Lanes(Floats())), dim = row.head_dim,
                distance = values.prefetch_rows();
  weights += heads.first * values.count;
  float* to[kHeads];
  for (int h = 0; h < kHeads; ++h) to[h] = out + (heads.first + h) * dim;
  int64_t c = 0;
  const auto step = [&]<int kMany>() {
    WeightedSum<kHeads, kMany>(weights, values, first, end, heads.column + c, distance, to);
    for (int h = 0; h < kHeads; ++h) to[h] += kMany * lanes;
    c += kMany * lanes;
  };
  while (c + kVectors * lanes <= dim) step.template operator()<kVectors>();
  while (c + lanes <= dim) step.template operator()<1>();
  for (; c < dim; ++c)
    for (int h = 0; h < kHeads; ++h) {
      float sum = first == 0 ? 0 : *to[h];
      for (int64_t k = first; k < end; ++k)
        sum += weights[h * values.count + k] * Element::One(values.at(k, heads.column + c));
      *to[h]++ = sum;
    }
}

template <class Element>
void Attend(const QueryRow& row, const Rows<Element>& keys, const Rows<Element>& values, float* scores,
            Partial* partials, float* out) {
  constexpr int64_t kRows = 16;  // of values that all heads go through while they are near
  AllScores(row, keys, values, scores);
  for (int64_t h = 0; h < row.heads; ++h) partials[h] = Exponentials(scores + h * keys.count, keys.count);
  for (int64_t first = 0; first < values.count; first += kRows)
    ForHeads(row, [&]<int kHeads>(const Heads& heads) {
      Sums<kHeads>(row, heads, scores, values, first, std::min(first + kRows, values.count), out);
    });
}

void AttendRow(const QueryRow& row, const StoredRows& keys, const StoredRows& values, float* scores,
               Partial* partials, float* out) {
  if (keys.dtype == DType::f16) return Attend(row, Rows<F16>(keys), Rows<F16>(values), scores, partials, out);
  Attend(row, Rows<F32>(keys), Rows<F32>(values), scores, partials, out);
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

void attend_row(const QueryRow& row, const StoredRows& keys, const StoredRows& values, float* scores,
                Partial* partials, float* out) {
  HWY_DYNAMIC_DISPATCH(AttendRow)(row, keys, values, scores, partials, out);
}

void join_parts(const Partial* partials, const float* sums, int64_t parts, int64_t stride, int64_t head_dim,
                float* out) {
  HWY_DYNAMIC_DISPATCH(JoinParts)(partials, sums, parts, stride, head_dim, out);
}

}  // namespace galago::kernels::cpu
#endif
