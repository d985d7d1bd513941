// Pixel unshuffle, the connector's projection, and hidden align.
#include "nn/connector/connector.h"

#include <cmath>
#include <string>

#include "galago/error.h"

namespace galago {
namespace {

int64_t square_side(int64_t patches) {
  const auto side = static_cast<int64_t>(std::llround(std::sqrt(static_cast<double>(patches))));
  return side * side == patches ? side : -1;
}

}  // namespace

int64_t rows_for(int64_t patches_per_side, int64_t scale) {
  if (scale < 1 || patches_per_side % scale != 0)
    throw Error(
        ErrorCode::model_invalid,
        {.where = "connector: scale_factor",
         .got = std::to_string(scale),
         .expected = "a divisor of the " + std::to_string(patches_per_side) + " patches on a tile's side"});
  return (patches_per_side / scale) * (patches_per_side / scale);
}

void pixel_unshuffle(ConstMatrix x, int64_t scale, Matrix out, const kernels::Device& device) {
  const int64_t side = square_side(x.rows);
  if (side < 0 || scale < 1 || side % scale != 0)
    throw Error(ErrorCode::input_invalid,
                {.where = "pixel_unshuffle",
                 .got = std::to_string(x.rows) + " patches, scale " + std::to_string(scale),
                 .expected = "a square number of patches whose side the scale divides"});
  const int64_t out_side = side / scale;
  if (out.rows != out_side * out_side || out.cols != x.cols * scale * scale)
    throw Error(ErrorCode::input_invalid,
                {.where = "pixel_unshuffle: output",
                 .got = to_string(Shape{out.rows, out.cols}),
                 .expected = to_string(Shape{out_side * out_side, x.cols * scale * scale})});
  // The patches at one place of the blocks of one row of blocks: every scale-th of a row of the grid.
  for (int64_t y = 0; y < side; ++y)
    for (int64_t place = 0; place < scale; ++place) {
      const ConstMatrix patches(x.row(y * side + place), out_side, x.cols, scale * x.stride);
      const int64_t column = ((y % scale) * scale + place) * x.cols;  // within the block, row by row
      device.copy(patches, out.slice_rows(y / scale * out_side, out_side).slice_cols(column, x.cols));
    }
}

Idefics3Connector::Idefics3Connector(const Scope& scope, int64_t hidden, int64_t scale, int64_t out)
    : scale_(scale),
      projection_(scope.sub("modality_projection").linear("proj", {out, hidden * scale * scale}, Bias::no),
                  scope.device()) {}

Tensor Idefics3Connector::forward(const Tensor& features, Workspace& workspace) const {
  const Shape& shape = features.shape();  // [N, P, C]
  const int64_t tiles = shape[0];
  const int64_t rows = shape[1] / (scale_ * scale_);
  const kernels::Device& device = workspace.device();
  Tensor out({tiles, rows, projection_.out_features()}, device.memory());
  for (int64_t t = 0; t < tiles; ++t) {
    Workspace::Frame frame(workspace);
    const ConstMatrix tile = features.matrix().slice_rows(t * shape[1], shape[1]);  // [P, C]
    const Matrix blocks = workspace.matrix(rows, shape[2] * scale_ * scale_);       // [T, C*scale^2]
    pixel_unshuffle(tile, scale_, blocks, device);
    device.linear(blocks, projection_, out.matrix().slice_rows(t * rows, rows));  // [T, D']
  }
  return out;
}

HiddenAlign::HiddenAlign(const Scope& scope, int64_t in, int64_t out) : in_(in), out_(out) {
  if (in == out) return;
  const Bias bias = scope.has("proj.bias") ? Bias::yes : Bias::no;
  projection_ = kernels::Linear(scope.linear("proj", {out, in}, bias), scope.device());
}

Tensor HiddenAlign::forward(Tensor rows, const kernels::Device& device) const {
  if (rows.shape().empty() || rows.shape().back() != in_)
    throw Error(ErrorCode::model_invalid, {.where = "hidden align: input",
                                           .got = to_string(rows.shape()),
                                           .expected = "rows of width " + std::to_string(in_)});
  if (identity()) return rows;
  Shape shape = rows.shape();
  shape.back() = out_;
  Tensor out(shape, device.memory());
  device.linear(rows.matrix(), projection_, out.matrix());
  return out;
}

}  // namespace galago
