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

/// Single rows whose partial sums are in memory at once.
constexpr int64_t kRowsAtOnce = 64;

/// Floats that a pointer takes the place of.
constexpr int64_t kPointer = sizeof(std::byte*) / sizeof(float);

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
void attend_tiles(Pool& pool, const Ways& ways, const Job& job, const HeadLayout& layout) {
  const int64_t dim = layout.head_dim, group = layout.heads / layout.kv_heads;
  const int64_t tiles = (job.q.rows + kTileRows - 1) / kTileRows;
  const int64_t wanted = (pool.threads() * kTasksPerThread + layout.kv_heads - 1) / layout.kv_heads;
  const int64_t splits = std::min(wanted, tiles);
  const TileProducts products = tile_products(ways, layout.arithmetic, dim);
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
              job.values.slice_rows(0, count).slice_cols(kv * dim, dim), layout.scale, products.arithmetic,
              {keys, values});
    for (int64_t first = begin; first < end; first += kTileRows)
      for (int64_t head = kv * group; head < (kv + 1) * group; ++head) {
        const int64_t rows = std::min(kTileRows, end - first);
        attend_tile({job.q.slice_rows(first, rows).slice_cols(head * dim, dim), job.ranges + first,
                     job.out.slice_rows(first, rows).slice_cols(head * dim, dim), values + packed},
                    {keys, values, count, job.bias}, products);
      }
  };
  const int64_t tasks = layout.kv_heads * splits;
  if (parts_for(pool, tasks, group * job.q.rows / splits * job.keys.rows * dim) > 1)
    parallel_parts(pool, tasks, task);
  else
    for (int64_t index = 0; index < tasks; ++index) task(index);
}

/// The first `count` positions of a cache.
StoredRows keys_of(const CacheView& cache, const HeadLayout& layout, int64_t count) {
  return {cache, cache.keys, count, layout.kv_heads * layout.head_dim};
}
StoredRows values_of(const CacheView& cache, const HeadLayout& layout, int64_t count) {
  return {cache, cache.values, count, layout.kv_heads * layout.head_dim};
}

/// How the keys of a row divide into parts; of the row alone, so that no other row changes its result.
struct KeyParts {
  int64_t block;  // keys; a part starts at its multiple
  int64_t first;  // the first part's number
  int64_t count;

  explicit KeyParts(const CausalRow& row) {
    constexpr int64_t kFewestKeys = 64;
    const int64_t keys = row.last - row.first + 1, at_least = (keys + kMostParts - 2) / (kMostParts - 1);
    block = (at_least + kFewestKeys - 1) / kFewestKeys * kFewestKeys;
    first = row.first / block;
    count = row.last / block - first + 1;
  }
};

/// Rows that share too few keys to pack them: one item for each row and part of its keys.
void attend_rows(Pool& pool, const WeightPrefetch& prefetch, ConstMatrix q, std::span<const CausalRow> rows,
                 const HeadLayout& layout, Matrix out) {
  const int64_t dim = layout.head_dim, heads = layout.heads;
  int64_t parts = 1, block = 1;
  for (const CausalRow& row : rows) {
    const KeyParts own(row);
    parts = std::max(parts, own.count);
    block = std::max(block, own.block);
  }
  const int64_t items = q.rows * parts;
  float* const sums = thread_scratch<struct Sums>(items * heads * (dim + 2));
  auto* const partials = reinterpret_cast<Partial*>(sums + items * heads * dim);
  parallel_for(pool, items, 2 * heads * dim * block, [&](int64_t begin, int64_t end) {
    float* const scores = thread_scratch<struct Scores>(heads * block + 2 * block * kPointer);
    const RowScratch scratch{scores, reinterpret_cast<const std::byte**>(scores + heads * block)};
    for (int64_t item = begin; item < end; ++item) {
      const int64_t i = item / parts;
      const CausalRow& row = rows[static_cast<size_t>(i)];
      const KeyParts own(row);
      const int64_t part = own.first + item % parts;
      const int64_t first = std::max(row.first, part * own.block);
      const int64_t count = std::min(row.last + 1, (part + 1) * own.block) - first;
      if (count <= 0) continue;
      attend_row({q.row(i), heads, layout.kv_heads, dim, layout.scale, prefetch},
                 keys_of(row.cache, layout, row.last + 1).slice_rows(first, count),
                 values_of(row.cache, layout, row.last + 1).slice_rows(first, count), scratch,
                 partials + item * heads, sums + item * heads * dim);
    }
  });
  for (int64_t i = 0; i < q.rows; ++i) {
    const int64_t own = KeyParts(rows[static_cast<size_t>(i)]).count;
    for (int64_t h = 0; h < heads; ++h) {
      const int64_t at = i * parts * heads + h;
      join_parts(partials + at, sums + at * dim, own, heads, dim, out.row(i) + h * dim);
    }
  }
}

}  // namespace

void attention(Pool& pool, const Ways& ways, ConstMatrix q, ConstMatrix k, ConstMatrix v,
               const HeadLayout& layout, std::span<const uint8_t> key_mask, Matrix out) {
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
  const auto* const key_page = reinterpret_cast<const std::byte*>(k.data);
  const auto* const value_page = reinterpret_cast<const std::byte*>(v.data);
  attend_tiles(pool, ways, {q, {&key_page, k}, {&value_page, v}, ranges.data(), bias, out}, layout);
}

void attention_cached(Pool& pool, const Ways& ways, ConstMatrix q, std::span<const CausalRow> rows,
                      const HeadLayout& layout, Matrix out) {
  thread_local std::vector<Range> ranges;
  const auto singles = [&](int64_t begin, int64_t end) {
    for (int64_t count; begin < end; begin += count) {
      count = std::min(kRowsAtOnce, end - begin);
      attend_rows(pool, ways.prefetch, q.slice_rows(begin, count),
                  rows.subspan(static_cast<size_t>(begin), static_cast<size_t>(count)), layout,
                  out.slice_rows(begin, count));
    }
  };
  int64_t waiting = 0;  // rows from here on that no tile has taken
  for (int64_t begin = 0, end; begin < q.rows; begin = end) {
    const CacheView& cache = rows[static_cast<size_t>(begin)].cache;
    int64_t count = 0;
    ranges.clear();
    for (end = begin; end < q.rows && rows[static_cast<size_t>(end)].cache == cache; ++end) {
      const CausalRow& row = rows[static_cast<size_t>(end)];
      ranges.push_back({row.first, row.last + 1});
      count = std::max(count, row.last + 1);
    }
    if (end - begin < kFewestTileRows) continue;
    singles(waiting, begin);
    waiting = end;
    attend_tiles(
        pool, ways,
        {q.slice_rows(begin, end - begin), keys_of(cache, layout, count), values_of(cache, layout, count),
         ranges.data(), nullptr, out.slice_rows(begin, end - begin)},
        layout);
  }
  singles(waiting, q.rows);
}

}  // namespace galago::kernels::cpu
