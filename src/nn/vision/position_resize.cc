// Two passes of a triangle filter, along the rows and then down the columns. float where torch uses float,
// double where C++ makes it double there.
#include "nn/vision/position_resize.h"

#include <algorithm>
#include <cmath>
#include <vector>

namespace galago {
namespace {

// What one place of the result is the mean of: neighbours from `first` on, with weights of sum 1.
struct Window {
  int64_t first = 0;
  std::vector<float> weights;
};

std::vector<Window> windows(int64_t in, int64_t out) {
  const float scale = static_cast<float>(in) / static_cast<float>(out);
  const float support = std::max(scale, 1.0F);
  const float inverse = scale >= 1.0F ? 1.0F / scale : 1.0F;
  std::vector<Window> all(static_cast<size_t>(out));
  for (int64_t i = 0; i < out; ++i) {
    Window& window = all[static_cast<size_t>(i)];
    const auto center = static_cast<float>(scale * (static_cast<double>(i) + 0.5));
    window.first = std::max<int64_t>(static_cast<int64_t>(center - support + 0.5), 0);
    const int64_t end = std::min(static_cast<int64_t>(center + support + 0.5), in);
    float sum = 0;
    for (int64_t j = window.first; j < end; ++j) {
      const double distance = (static_cast<float>(j) - center + 0.5) * inverse;
      const float x = std::abs(static_cast<float>(distance));
      window.weights.push_back(x < 1.0F ? 1.0F - x : 0.0F);
      sum += window.weights.back();
    }
    for (float& weight : window.weights) weight /= sum;
  }
  return all;
}

// out = the mean of the rows that a window takes, which lie `stride` rows apart from `begin` on.
void blend(const Window& window, ConstMatrix rows, int64_t begin, int64_t stride, float* out) {
  std::fill_n(out, rows.cols, 0.0F);
  int64_t at = begin + window.first * stride;
  for (const float weight : window.weights) {
    const float* row = rows.row(at);
    for (int64_t c = 0; c < rows.cols; ++c) out[c] += weight * row[c];
    at += stride;
  }
}

}  // namespace

void resize_positions(ConstMatrix table, PatchGrid grid, Matrix out, Workspace& workspace) {
  Workspace::Frame frame(workspace);
  const int64_t side = std::llround(std::sqrt(static_cast<double>(table.rows)));
  const std::vector<Window> across = windows(side, grid.cols);
  const std::vector<Window> down = windows(side, grid.rows);
  const Matrix wide = workspace.host_matrix(side * grid.cols, table.cols);  // [side * cols, C]
  for (int64_t y = 0; y < side; ++y)
    for (int64_t x = 0; x < grid.cols; ++x)
      blend(across[static_cast<size_t>(x)], table, y * side, 1, wide.row(y * grid.cols + x));
  // torch's loop down the columns takes the first row's window for a whole run of places, and a run is a row,
  // but of a single column all of it. It does not run at all where the height stays.
  const bool one_run = grid.cols == 1 && grid.rows != side;
  for (int64_t y = 0; y < grid.rows; ++y)
    for (int64_t x = 0; x < grid.cols; ++x)
      blend(down[static_cast<size_t>(one_run ? 0 : y)], wide, x, grid.cols, out.row(y * grid.cols + x));
}

}  // namespace galago
