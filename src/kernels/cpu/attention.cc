// Divides attention into tiles (many rows over the same keys) or single rows (decoding) and these among
// threads. In: rows of queries, keys and values; out: rows like the queries. A row's result depends on
// neither the other rows of its kind nor the number of threads: blocks of keys start at fixed positions.
#include "kernels/cpu/attention.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

#include "kernels/cpu/cpu.h"
#include "kernels/cpu/parallel.h"

namespace galago::kernels::cpu {
namespace {

/// Rows over one cache from which packing the keys pays.
constexpr int64_t kFewestTileRows = 8;

/// n query rows over the same keys and values.
struct Job {
  ConstMatrix q;
  StoredRows keys;    // [count, kv_heads * head_dim]
  StoredRows values;  // same shape
  const Range* ranges;
  const float* bias;
  Matrix out;
};

/// Each task packs the keys and values of one head for itself and takes some tiles of rows past them.
void attend_tiles(const Job& job, const HeadLayout& layout) {
  const int64_t dim = layout.head_dim, group = layout.heads / layout.kv_heads;
  const int64_t tiles = (job.q.rows + kTileRows - 1) / kTileRows;
  const int64_t wanted = (threads() * kTasksPerThread + layout.kv_heads - 1) / layout.kv_heads;
  const int64_t splits = std::min(wanted, tiles);
  const Arithmetic arithmetic = pairs_in_tiles(dim) ? layout.arithmetic : Arithmetic::f32;
  const auto task = [&](int64_t index) {
    const int64_t kv = index % layout.kv_heads, split = splits - 1 - index / layout.kv_heads;
    const int64_t begin = tiles * split / splits * kTileRows;
    const int64_t end = std::min(tiles * (split + 1) / splits * kTileRows, job.q.rows);
    int64_t count = 0;  // keys that a row of this split sees
    for (int64_t r = begin; r < end; ++r) count = std::max(count, job.ranges[r].end);
    const int64_t packed = packed_size(count, dim);
    float* const keys = thread_scratch<struct Packed>(2 * packed + tile_scratch(dim));
    float* const values = keys + packed;
    pack_head(job.keys.slice_rows(0, count).slice_cols(kv * dim, dim),
              job.values.slice_rows(0, count).slice_cols(kv * dim, dim), layout.scale, arithmetic,
              {keys, values});
    for (int64_t first = begin; first < end; first += kTileRows)
      for (int64_t head = kv * group; head < (kv + 1) * group; ++head) {
        const int64_t rows = std::min(kTileRows, end - first);
        attend_tile({job.q.slice_rows(first, rows).slice_cols(head * dim, dim), job.ranges + first,
                     job.out.slice_rows(first, rows).slice_cols(head * dim, dim), values + packed},
                    {keys, values, count, job.bias}, arithmetic);
      }
  };
  const int64_t tasks = layout.kv_heads * splits;
  if (parts_for(tasks, group * job.q.rows / splits * job.keys.rows * dim) > 1)
    parallel_parts(tasks, task);
  else
    for (int64_t index = 0; index < tasks; ++index) task(index);
}

/// Joins the partial softmaxes of one query row of one head, in the order of the keys.
void join(const Partial* partials, const float* sums, int64_t parts, int64_t dim, float* out) {
  float largest = partials[0].largest, total = 0;
  for (int64_t p = 1; p < parts; ++p) largest = std::max(largest, partials[p].largest);
  std::fill_n(out, dim, 0.0f);
  for (int64_t p = 0; p < parts; ++p) {
    const float weight = std::exp(partials[p].largest - largest);
    total += partials[p].sum * weight;
    for (int64_t c = 0; c < dim; ++c) out[c] += weight * sums[p * dim + c];
  }
  for (int64_t c = 0; c < dim; ++c) out[c] /= total;
}

/// All that a cache holds; its length is not known here.
StoredRows keys_of(const CacheView& cache, const HeadLayout& layout) {
  return {cache.keys, 0, layout.kv_heads * layout.head_dim, cache.stride, cache.dtype};
}
StoredRows values_of(const CacheView& cache, const HeadLayout& layout) {
  return {cache.values, 0, layout.kv_heads * layout.head_dim, cache.stride, cache.dtype};
}

/// Rows that share too few keys to pack them: one item for each row, head and block of keys.
void attend_rows(ConstMatrix q, std::span<const CausalRow> rows, const HeadLayout& layout, Matrix out) {
  const int64_t dim = layout.head_dim, group = layout.heads / layout.kv_heads;
  int64_t parts = 1, longest = 1;
  for (const CausalRow& row : rows) {
    parts = std::max(parts, row.last / kKeyBlock - row.first / kKeyBlock + 1);
    longest = std::max(longest, row.last - row.first + 1);
  }
  const int64_t items = q.rows * layout.heads * parts;
  float* const sums = thread_scratch<struct Sums>(items * (dim + 2));
  auto* const partials = reinterpret_cast<Partial*>(sums + items * dim);
  const int64_t cost = 2 * dim * longest / parts;
  parallel_for(items, cost, [&](int64_t begin, int64_t end) {
    float scores[kKeyBlock];
    for (int64_t item = begin; item < end; ++item) {
      const int64_t i = item / parts / layout.heads, h = item / parts % layout.heads;
      const CausalRow& row = rows[static_cast<size_t>(i)];
      const int64_t block = row.first / kKeyBlock + item % parts;
      const int64_t first = std::max(row.first, block * kKeyBlock);
      const int64_t count = std::min(row.last + 1, (block + 1) * kKeyBlock) - first;
      if (count <= 0) continue;
      const auto seen = [&](const StoredRows& stored) {
        return stored.slice_rows(first, count).slice_cols(h / group * dim, dim);
      };
      partials[item] =
          attend_row(q.row(i) + h * dim, seen(keys_of(row.cache, layout)), seen(values_of(row.cache, layout)),
                     layout.scale, scores, sums + item * dim);
    }
  });
  for (int64_t i = 0; i < q.rows; ++i) {
    const CausalRow& row = rows[static_cast<size_t>(i)];
    const int64_t own = row.last / kKeyBlock - row.first / kKeyBlock + 1;
    for (int64_t h = 0; h < layout.heads; ++h) {
      const int64_t item = (i * layout.heads + h) * parts;
      join(partials + item, sums + item * dim, own, dim, out.row(i) + h * dim);
    }
  }
}

bool same_cache(const CacheView& a, const CacheView& b) {
  return a.keys == b.keys && a.values == b.values && a.stride == b.stride && a.dtype == b.dtype;
}

}  // namespace

void attention(ConstMatrix q, ConstMatrix k, ConstMatrix v, const HeadLayout& layout,
               std::span<const uint8_t> key_mask, Matrix out) {
  thread_local std::vector<Range> ranges;
  ranges.assign(static_cast<size_t>(q.rows), {0, k.rows});
  float* bias = nullptr;
  if (!key_mask.empty()) {
    const int64_t padded = (k.rows + kKeyBlock - 1) / kKeyBlock * kKeyBlock;  // read in whole vectors
    bias = thread_scratch<struct KeyBias>(padded);
    std::fill_n(bias, padded, 0.0f);
    for (size_t j = 0; j < key_mask.size(); ++j)
      if (!key_mask[j]) bias[j] = -std::numeric_limits<float>::infinity();
  }
  attend_tiles({q, k, v, ranges.data(), bias, out}, layout);
}

void attention_cached(ConstMatrix q, std::span<const CausalRow> rows, const HeadLayout& layout, Matrix out) {
  thread_local std::vector<Range> ranges;
  const auto singles = [&](int64_t begin, int64_t end) {
    if (begin < end)
      attend_rows(q.slice_rows(begin, end - begin),
                  rows.subspan(static_cast<size_t>(begin), static_cast<size_t>(end - begin)), layout,
                  out.slice_rows(begin, end - begin));
  };
  int64_t waiting = 0;  // rows from here on that no tile has taken
  for (int64_t begin = 0, end; begin < q.rows; begin = end) {
    const CacheView& cache = rows[static_cast<size_t>(begin)].cache;
    int64_t count = 0;
    ranges.clear();
    for (end = begin; end < q.rows && same_cache(rows[static_cast<size_t>(end)].cache, cache); ++end) {
      const CausalRow& row = rows[static_cast<size_t>(end)];
      ranges.push_back({row.first, row.last + 1});
      count = std::max(count, row.last + 1);
    }
    if (end - begin < kFewestTileRows) continue;
    singles(waiting, begin);
    waiting = end;
    attend_tiles({q.slice_rows(begin, end - begin), keys_of(cache, layout).slice_rows(0, count),
                  values_of(cache, layout).slice_rows(0, count), ranges.data(), nullptr,
                  out.slice_rows(begin, end - begin)},
                 layout);
  }
  singles(waiting, q.rows);
}

}  // namespace galago::kernels::cpu
