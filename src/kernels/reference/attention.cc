// The definition of attention: out = softmax(q k^T * scale) v, one query row and one head at a time.
// In: rows of queries, keys and values whose columns divide into heads. Out: rows like the queries. Sums in
// double.
#include <cmath>
#include <limits>
#include <vector>

#include "kernels/reference/reference.h"

namespace galago::kernels::reference {
namespace {

/// The keys and values that one query row of one head meets: `count` of them, `stride` floats apart.
struct Visible {
  const float* keys;
  const float* values;
  int64_t stride_k;
  int64_t stride_v;
  int64_t count;
  std::span<const uint8_t> mask;  // empty = all
};

void attend(const float* q, const Visible& seen, const HeadLayout& layout, float* out) {
  constexpr double kHidden = -std::numeric_limits<double>::infinity();
  std::vector<double> score(static_cast<size_t>(seen.count), kHidden);
  double largest = kHidden;
  for (int64_t j = 0; j < seen.count; ++j) {
    if (!seen.mask.empty() && !seen.mask[static_cast<size_t>(j)]) continue;
    double dot = 0;
    for (int64_t c = 0; c < layout.head_dim; ++c)
      dot += double{q[c]} * double{seen.keys[j * seen.stride_k + c]};
    score[static_cast<size_t>(j)] = dot * layout.scale;
    largest = std::max(largest, score[static_cast<size_t>(j)]);
  }
  double total = 0;
  for (double& s : score) total += (s = std::exp(s - largest));
  for (int64_t c = 0; c < layout.head_dim; ++c) {
    double sum = 0;
    for (int64_t j = 0; j < seen.count; ++j)
      if (score[static_cast<size_t>(j)] > 0)
        sum += score[static_cast<size_t>(j)] * seen.values[j * seen.stride_v + c];
    out[c] = static_cast<float>(sum / total);
  }
}

}  // namespace

void attention(ConstMatrix q, ConstMatrix k, ConstMatrix v, const HeadLayout& layout,
               std::span<const uint8_t> key_mask, Matrix out) {
  for (int64_t i = 0; i < q.rows; ++i)
    for (int64_t h = 0; h < layout.heads; ++h) {
      const int64_t kv = h / (layout.heads / layout.kv_heads) * layout.head_dim;
      attend(q.row(i) + h * layout.head_dim, {k.data + kv, v.data + kv, k.stride, v.stride, k.rows, key_mask},
             layout, out.row(i) + h * layout.head_dim);
    }
}

void attention_cached(ConstMatrix q, std::span<const CausalRow> rows, const HeadLayout& layout, Matrix out) {
  for (int64_t i = 0; i < q.rows; ++i) {
    const CausalRow& row = rows[static_cast<size_t>(i)];
    const int64_t stride = row.cache.stride;
    for (int64_t h = 0; h < layout.heads; ++h) {
      const int64_t begin = row.first * stride + h / (layout.heads / layout.kv_heads) * layout.head_dim;
      attend(q.row(i) + h * layout.head_dim,
             {row.cache.keys + begin, row.cache.values + begin, stride, stride, row.last - row.first + 1, {}},
             layout, out.row(i) + h * layout.head_dim);
    }
  }
}

}  // namespace galago::kernels::reference
