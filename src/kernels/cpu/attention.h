// Attention in two shapes: tiles of query rows against packed keys and values (many rows, bound by
// arithmetic), and single rows against keys and values as they lie (decoding, bound by reading them).
#pragma once

#include <bit>

#include "kernels/kernels.h"
#include "kernels/tuning.h"

namespace galago::kernels::cpu {

inline constexpr int64_t kTileRows = 24;  ///< query rows that share one pass over the keys
/// Keys whose scores a tile holds at once; a block starts at its multiple.
inline constexpr int64_t kKeyBlock = 1024;

/// Rows of keys or values as they lie: in pages, float32 or float16.
struct StoredRows {
  const std::byte* const* pages = nullptr;
  int64_t offset = 0;  ///< bytes from a page's beginning to its first row
  int64_t first = 0;   ///< row of the pages that is row 0
  int64_t rows = 0;
  int64_t cols = 0;
  int64_t stride = 0;  ///< elements
  int page_bits = 0;   ///< a page holds 2^page_bits rows
  DType dtype = DType::f32;

  /// The rows of a matrix, whose beginning lies at `page`.
  StoredRows(const std::byte* const* page, ConstMatrix m)
      : pages(page), rows(m.rows), cols(m.cols), stride(m.stride), page_bits(62) {}
  /// The first `count` rows of a cache's keys or values, which begin at `part` bytes in each page.
  StoredRows(const CacheView& cache, int64_t part, int64_t count, int64_t columns)
      : pages(cache.pages),
        offset(part),
        rows(count),
        cols(columns),
        stride(cache.stride),
        page_bits(std::countr_zero(static_cast<uint64_t>(cache.page_positions))),
        dtype(cache.dtype) {}
  int64_t width() const { return dtype == DType::f32 ? 4 : 2; }  ///< bytes of an element
  int64_t pitch() const { return stride * width(); }             ///< bytes from one row of a page to the next
  int64_t page_rows() const { return int64_t{1} << page_bits; }
  /// Where row r of [0, rows) begins.
  const std::byte* row(int64_t r) const {
    const int64_t at = first + r;
    return pages[at >> page_bits] + offset + (at & (page_rows() - 1)) * pitch();
  }
  StoredRows slice_rows(int64_t begin, int64_t count) const {
    StoredRows some = *this;
    some.first += begin;
    some.rows = count;
    return some;
  }
  StoredRows slice_cols(int64_t begin, int64_t count) const {
    StoredRows some = *this;
    some.offset += begin * width();
    some.cols = count;
    return some;
  }
};

/// One head's keys and values, packed in panels (see tile_attention.cc).
struct PackedHead {
  const float* keys;
  const float* values;
  int64_t count;      ///< keys
  const float* bias;  ///< count floats added to the scores (0 or -infinity), or null
};

/// Keys [begin, end) are visible to a query row.
struct Range {
  int64_t begin;
  int64_t end;
};

/// At most kTileRows query rows of one head.
struct Tile {
  ConstMatrix q;        ///< [rows, head_dim]
  const Range* ranges;  ///< one for each row
  Matrix out;           ///< [rows, head_dim]
  float* scratch;       ///< tile_scratch(head_dim) floats
};

/// Floats of a packed head of `count` keys (keys and values alike need this many each).
int64_t packed_size(int64_t count, int64_t head_dim);
int64_t tile_scratch(int64_t head_dim);
/// Where a packed head goes, packed_size() floats each.
struct PackedPlaces {
  float* keys;
  float* values;
};
/// Packs all keys, times `scale`, and all values of one head.
void pack_head(const StoredRows& keys, const StoredRows& values, float scale, Arithmetic arithmetic,
               const PackedPlaces& packed);
/// How a tile multiplies. int8: the products with keys in whole numbers, the others in bfloat16.
struct TileProducts {
  Arithmetic arithmetic = Arithmetic::f32;
  bool amx = false;  ///< by AMX; never in float32
};
/// What is used here for such heads when `wanted` is asked for.
TileProducts tile_products(const Ways& ways, Arithmetic wanted, int64_t head_dim);
/// With the arithmetic that the head was packed for.
void attend_tile(const Tile& tile, const PackedHead& head, const TileProducts& products);

/// Softmax over some of the keys of one query row of one head, before the division by the sum.
struct Partial {
  float largest;  ///< of the scores
  float sum;      ///< of exp(score - largest)
};

/// One query row of all heads; head h reads the columns of key head h / (heads / kv_heads).
struct QueryRow {
  const float* q;  ///< [heads, head_dim]
  int64_t heads;
  int64_t kv_heads;
  int64_t head_dim;
  float scale;
  WeightPrefetch prefetch;  ///< of keys and values
};

/// What attend_row needs of memory for `count` keys.
struct RowScratch {
  float* scores;           ///< heads * count
  const std::byte** rows;  ///< 2 * count
};
/// A row against keys and values [count, kv_heads * head_dim], each read once: partials [heads], and out
/// [heads, head_dim], the sums of exp(score - largest) v.
void attend_row(const QueryRow& row, const StoredRows& keys, const StoredRows& values,
                const RowScratch& scratch, Partial* partials, float* out);

/// Parts into which the keys of a row divide at most.
inline constexpr int64_t kMostParts = 17;
/// Joins `parts` softmaxes of one row of one head in the order of the keys: out [head_dim]. Part p is
/// partials[p * stride] with the sums from sums + p * stride * head_dim on.
void join_parts(const Partial* partials, const float* sums, int64_t parts, int64_t stride, int64_t head_dim,
                float* out);

}  // namespace galago::kernels::cpu
