// Unpadding decided in double, as Python does it; rows copied in the order of the placeholders.
#include "nn/connector/any_resolution_rows.h"

#include <algorithm>
#include <cmath>
#include <string>

#include "galago/error.h"

namespace galago {
namespace {

// int(round(x, 7)) of Python for x >= 0: the next integer when x is closer to it than half of the seventh
// decimal, else x without its fraction.
int64_t truncate_rounded(double x) {
  constexpr double kHalfDecimal = 0.5e-7;
  const double below = std::floor(x);
  return static_cast<int64_t>(below + 1 - x < kHalfDecimal ? below + 1 : below);
}

// Patches of padding before the picture along an axis of `length` patches, `covered` of them picture.
int64_t padding(int64_t length, double covered) {
  return std::max<int64_t>(0, (length - truncate_rounded(covered)) / 2);
}

}  // namespace

PatchWindow unpadded_window(const TiledPicture& picture) {
  PatchWindow window{.top = 0,
                     .left = 0,
                     .rows = picture.grid.rows * picture.patches_per_side,
                     .cols = picture.grid.cols * picture.patches_per_side};
  const auto height = static_cast<double>(picture.height);
  const auto width = static_cast<double>(picture.width);
  const auto rows = static_cast<double>(window.rows);
  const auto cols = static_cast<double>(window.cols);
  if (width / height > cols / rows) {
    window.top = padding(window.rows, height * (cols / width));
    window.rows -= 2 * window.top;
  } else {
    window.left = padding(window.cols, width * (rows / height));
    window.cols -= 2 * window.left;
  }
  return window;
}

int64_t rows_for(const TiledPicture& picture) {
  const PatchWindow window = unpadded_window(picture);
  return picture.patches_per_side * picture.patches_per_side + window.rows * (window.cols + 1);
}

Tensor any_resolution_rows(const Tensor& connected, const TiledPicture& picture, ConstMatrix newline,
                           const kernels::Device& device) {
  const int64_t side = picture.patches_per_side;
  const int64_t patches = side * side;
  const Shape& shape = connected.shape();
  if (shape.size() != 3 || shape[0] != picture.grid.tiles() || shape[1] != patches)
    throw Error(ErrorCode::internal, {.where = "any_resolution_rows",
                                      .got = to_string(shape),
                                      .expected = std::to_string(picture.grid.tiles()) + " tiles of " +
                                                  std::to_string(patches) + " patches"});
  const PatchWindow window = unpadded_window(picture);
  const int64_t width = shape[2];
  Tensor rows({rows_for(picture), width}, device.memory());
  const ConstMatrix all = connected.matrix();
  int64_t row = 0;
  const auto append = [&](ConstMatrix run) {
    device.copy(run, rows.matrix().slice_rows(row, run.rows));
    row += run.rows;
  };
  append(all.slice_rows(0, patches));  // the whole picture
  for (int64_t y = window.top; y < window.top + window.rows; ++y) {
    int64_t x = window.left;
    while (x < window.left + window.cols) {  // the patches that one tile has in this row lie side by side
      const int64_t tile = 1 + y / side * picture.grid.cols + x / side;
      const int64_t end = std::min((x / side + 1) * side, window.left + window.cols);
      append(all.slice_rows(tile * patches + y % side * side + x % side, end - x));
      x = end;
    }
    append(newline);
  }
  return rows;
}

}  // namespace galago
