// Attention of one query row of one head over at most kKeyBlock keys, for decoding: every key and value is
// read once. In: q [head_dim], keys and values as they lie in the cache. Out: exp-weighted sum of values, not
// yet divided.
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
#include "kernels/cpu/sums-inl.h"

HWY_BEFORE_NAMESPACE();
namespace galago::kernels::cpu {
namespace HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

/// Keys or values whose element type is known.
template <class Element>
struct Rows {
  const std::byte* data;
  int64_t count, cols, pitch;  // pitch: bytes from one row to the next

  explicit Rows(const StoredRows& rows)
      : data(rows.data), count(rows.rows), cols(rows.cols), pitch(rows.stride * Element::kBytes) {}
  const std::byte* at(int64_t row, int64_t col) const { return data + row * pitch + col * Element::kBytes; }
};

/// q . k for kKeys keys that follow each other, 4 or 1.
template <int kKeys, class Element>
HWY_INLINE void Scores(const float* q, const Rows<Element>& keys, int64_t first, float scale, float* scores) {
  const Floats d;
  const int64_t lanes = static_cast<int64_t>(hn::Lanes(d));
  hn::Vec<Floats> sums[kKeys];
  for (int k = 0; k < kKeys; ++k) sums[k] = hn::Zero(d);
  int64_t c = 0;
  for (; c + lanes <= keys.cols; c += lanes) {
    const auto qv = hn::LoadU(d, q + c);
    for (int k = 0; k < kKeys; ++k) sums[k] = hn::MulAdd(qv, Element::Load(keys.at(first + k, c)), sums[k]);
  }
  float dots[kKeys];
  if constexpr (kKeys == 4)
    StoreSums(sums[0], sums[1], sums[2], sums[3], dots);
  else
    dots[0] = hn::GetLane(hn::SumOfLanes(d, sums[0]));
  for (int k = 0; k < kKeys; ++k) {
    for (int64_t t = c; t < keys.cols; ++t) dots[k] += q[t] * Element::One(keys.at(first + k, t));
    scores[first + k] = dots[k] * scale;
  }
}

/// out[begin .. begin + kVectors vectors) = sum over keys of weight * value.
template <int kVectors, class Element>
HWY_INLINE void WeightedSum(const float* weights, const Rows<Element>& values, int64_t begin, float* out) {
  const Floats d;
  const int64_t lanes = static_cast<int64_t>(hn::Lanes(d));
  hn::Vec<Floats> sums[kVectors];
  for (int v = 0; v < kVectors; ++v) sums[v] = hn::Zero(d);
  for (int64_t k = 0; k < values.count; ++k) {
    const auto weight = hn::Set(d, weights[k]);
    for (int v = 0; v < kVectors; ++v)
      sums[v] = hn::MulAdd(weight, Element::Load(values.at(k, begin + v * lanes)), sums[v]);
  }
  for (int v = 0; v < kVectors; ++v) hn::StoreU(sums[v], d, out + begin + v * lanes);
}

template <class Element>
Partial Attend(const float* q, const Rows<Element>& keys, const Rows<Element>& values, float scale,
               float* scores, float* out) {
  const Floats d;
  const int64_t lanes = static_cast<int64_t>(hn::Lanes(d)), count = keys.count, dim = keys.cols;
  int64_t k = 0;
  for (; k + 4 <= count; k += 4) Scores<4>(q, keys, k, scale, scores);
  for (; k < count; ++k) Scores<1>(q, keys, k, scale, scores);
  const float largest = *std::max_element(scores, scores + count);
  auto sums = hn::Zero(d);
  const int64_t whole = count - count % lanes;
  for (k = 0; k < whole; k += lanes) {
    const auto e = FastExp(d, hn::Sub(hn::LoadU(d, scores + k), hn::Set(d, largest)));
    hn::StoreU(e, d, scores + k);
    sums = hn::Add(sums, e);
  }
  float sum = hn::GetLane(hn::SumOfLanes(d, sums));
  for (; k < count; ++k) sum += scores[k] = std::exp(scores[k] - largest);
  int64_t c = 0;
  for (; c + 4 * lanes <= dim; c += 4 * lanes) WeightedSum<4>(scores, values, c, out);
  for (; c + lanes <= dim; c += lanes) WeightedSum<1>(scores, values, c, out);
  for (; c < dim; ++c) {
    out[c] = 0;
    for (k = 0; k < count; ++k) out[c] += scores[k] * Element::One(values.at(k, c));
  }
  return {largest, sum};
}

Partial AttendRow(const float* q, const StoredRows& keys, const StoredRows& values, float scale,
                  float* scores, float* out) {
  if (keys.dtype == DType::f16) return Attend(q, Rows<F16>(keys), Rows<F16>(values), scale, scores, out);
  return Attend(q, Rows<F32>(keys), Rows<F32>(values), scale, scores, out);
}

}  // namespace HWY_NAMESPACE
}  // namespace galago::kernels::cpu
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace galago::kernels::cpu {
HWY_EXPORT(AttendRow);

Partial attend_row(const float* q, const StoredRows& keys, const StoredRows& values, float scale,
                   float* scratch, float* out) {
  return HWY_DYNAMIC_DISPATCH(AttendRow)(q, keys, values, scale, scratch, out);
}

}  // namespace galago::kernels::cpu
#endif
