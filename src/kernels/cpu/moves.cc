// Rows that are copied, scaled, added, and cut out of a tile: bound by reading and writing them, so plain
// loops do. In: rows, or a tile of pixels. Out: rows.
#include <algorithm>

#include "kernels/cpu/cpu.h"
#include "kernels/cpu/parallel.h"

namespace galago::kernels::cpu {
namespace {

template <class Body>
void each_row(Pool& pool, int64_t rows, int64_t cost, const Body& body) {
  parallel_for(pool, rows, cost, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) body(i);
  });
}

}  // namespace

void copy(Pool& pool, ConstMatrix x, Matrix y) {
  each_row(pool, x.rows, x.cols, [&](int64_t i) { std::copy_n(x.row(i), x.cols, y.row(i)); });
}

void scale(Pool& pool, ConstMatrix x, float factor, Matrix y) {
  each_row(pool, x.rows, x.cols, [&](int64_t i) {
    std::transform(x.row(i), x.row(i) + x.cols, y.row(i), [factor](float value) { return value * factor; });
  });
}

void add(Pool& pool, ConstMatrix x, Matrix y) {
  each_row(pool, x.rows, x.cols, [&](int64_t i) {
    std::transform(y.row(i), y.row(i) + x.cols, x.row(i), y.row(i), [](float a, float b) { return a + b; });
  });
}

void unfold_patches(Pool& pool, const TileView& tile, int64_t patch, Matrix rows) {
  const int64_t across = tile.width / patch;
  each_row(pool, rows.rows, rows.cols, [&](int64_t i) {
    const float* corner = tile.pixels + i / across * patch * tile.width + i % across * patch;
    float* out = rows.row(i);
    for (int64_t c = 0; c < tile.channels; ++c)
      for (int64_t y = 0; y < patch; ++y, out += patch)
        std::copy_n(corner + (c * tile.height + y) * tile.width, patch, out);
  });
}

}  // namespace galago::kernels::cpu
