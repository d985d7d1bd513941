// The definition of attention: out = softmax(q k^T * scale) v, one query row and one head at a time.
// In: rows of queries, keys and values whose columns divide into heads. Out: rows like the queries. Sums in
// double.
#include <cmath>
#include <limits>
#include <vector>

#include "core/half.h"
#include "kernels/reference/reference.h"

namespace galago::kernels::reference {
namespace {

/// Rows of keys or values in pages, float32 or float16, `stride` elements apart.
struct Rows {
  const std::byte* const* pages;
  int64_t offset;  // bytes, in a page
  int64_t page_rows;
  int64_t stride;
  DType dtype;

  double at(int64_t row, int64_t col) const {
    const std::byte* const data = pages[row / page_rows] + offset;
    const int64_t i = row % page_rows * stride + col;
    return dtype == DType::f16 ? from_f16(reinterpret_cast<const uint16_t*>(data)[i])
                               : reinterpret_cast<const float*>(data)[i];
  }
};

/// The keys and values that one query row of one head meets: rows [first, first + count), columns from
/// `column` on.
struct Visible {
  Rows keys;
  Rows values;
  int64_t first;
  int64_t count;
  int64_t column;
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
      dot += double{q[c]} * seen.keys.at(seen.first + j, seen.column + c);
    score[static_cast<size_t>(j)] = dot * layout.scale;
    largest = std::max(largest, score[static_cast<size_t>(j)]);
  }
  double total = 0;
  for (double& s : score) total += (s = std::exp(s - largest));
  for (int64_t c = 0; c < layout.head_dim; ++c) {
    double sum = 0;
    for (int64_t j = 0; j < seen.count; ++j)
      if (score[static_cast<size_t>(j)] > 0)
        sum += score[static_cast<size_t>(j)] * seen.values.at(seen.first + j, seen.column + c);
    out[c] = static_cast<float>(sum / total);
  }
}

}  // namespace

void attention(ConstMatrix q, ConstMatrix k, ConstMatrix v, const HeadLayout& layout,
               std::span<const uint8_t> key_mask, Matrix out) {
  const auto* const key_page = reinterpret_cast<const std::byte*>(k.data);
  const auto* const value_page = reinterpret_cast<const std::byte*>(v.data);
  const Rows keys{&key_page, 0, k.rows, k.stride, DType::f32};
  const Rows values{&value_page, 0, v.rows, v.stride, DType::f32};
  for (int64_t i = 0; i < q.rows; ++i)
    for (int64_t h = 0; h < layout.heads; ++h) {
      const int64_t kv = h / (layout.heads / layout.kv_heads) * layout.head_dim;
      attend(q.row(i) + h * layout.head_dim, {keys, values, 0, k.rows, kv, key_mask}, layout,
             out.row(i) + h * layout.head_dim);
    }
}

void attention_cached(ConstMatrix q, std::span<const CausalRow> rows, const HeadLayout& layout, Matrix out) {
  for (int64_t i = 0; i < q.rows; ++i) {
    const CausalRow& row = rows[static_cast<size_t>(i)];
    const CacheView& cache = row.cache;
    const Rows keys{cache.pages, cache.keys, cache.page_positions, cache.stride, cache.dtype};
    const Rows values{cache.pages, cache.values, cache.page_positions, cache.stride, cache.dtype};
    for (int64_t h = 0; h < layout.heads; ++h) {
      const int64_t column = h / (layout.heads / layout.kv_heads) * layout.head_dim;
      attend(q.row(i) + h * layout.head_dim, {keys, values, row.first, row.last - row.first + 1, column, {}},
             layout, out.row(i) + h * layout.head_dim);
    }
  }
}

}  // namespace galago::kernels::reference
