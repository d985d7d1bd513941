// The NaFlex tower's forward pass; shapes at the right edge. See the header for sources.
#include "nn/vision/naflex.h"

#include <algorithm>
#include <string>
#include <vector>

#include "galago/error.h"
#include "nn/vision/patches.h"
#include "nn/vision/position_resize.h"

namespace galago {
namespace {

// A linear layer over a patch's pixels; like the convolutions of other towers it stays as it is stored.
LinearView patch_linear(const VisionConfig& config, const Scope& scope) {
  if (config.num_channels != 3)  // the image station makes RGB
    throw Error(ErrorCode::model_unsupported, {.where = "config.json: vision_config.num_channels",
                                               .got = std::to_string(config.num_channels),
                                               .expected = "3"});
  const int64_t values = config.num_channels * config.patch_size * config.patch_size;
  return {.weight = scope.tensor("weight", {config.hidden_size, values}),
          .bias = scope.tensor("bias", {config.hidden_size}),
          .arithmetic = scope.without_int8().arithmetic()};
}

}  // namespace

NaflexTower::NaflexTower(const VisionConfig& config, const Scope& scope)
    : config_(config),
      patch_embedding_(patch_linear(config, scope.sub("embeddings").sub("patch_embedding")), scope.device()),
      encoder_(encoder_shape(config), scope.sub("encoder")),
      post_layernorm_(scope.norm("post_layernorm", config.hidden_size), config.layer_norm_eps,
                      scope.device()),
      head_(encoder_shape(config), scope.sub("head")) {
  const int64_t positions = config.patches_per_side() * config.patches_per_side();
  const Scope table = scope.sub("embeddings").sub("position_embedding");
  position_embedding_ = to_tensor(table.tensor("weight", {positions, config.hidden_size}));
}

void NaflexTower::check(const PatchBatch& batch) const {
  const Shape& shape = batch.patches.shape();
  const int64_t values = 3 * config_.patch_size * config_.patch_size;
  if (shape.size() != 3 || shape[0] != std::ssize(batch.grids) || shape[0] < 1 || shape[2] != values)
    throw Error(ErrorCode::input_invalid,
                {.where = "vision tower input",
                 .got = to_string(shape) + " with " + std::to_string(batch.grids.size()) + " grids",
                 .expected = "[N, L, " + std::to_string(values) + "] with N grids"});
  for (const PatchGrid grid : batch.grids)
    if (grid.rows < 1 || grid.cols < 1 || grid.rows > shape[1] / grid.cols)
      throw Error(ErrorCode::input_invalid,
                  {.where = "vision tower input",
                   .got = std::to_string(grid.rows) + " x " + std::to_string(grid.cols) + " patches",
                   .expected = "1 to " + std::to_string(shape[1])});
}

Tensor NaflexTower::embed(const PatchBatch& batch, Workspace& workspace) const {
  check(batch);
  const int64_t length = batch.patches.shape()[1];
  Workspace::Frame frame(workspace);
  const kernels::Device& device = workspace.device();
  const Matrix positions = workspace.host_matrix(std::ssize(batch.grids) * length, config_.hidden_size);
  for (int64_t n = 0; n < std::ssize(batch.grids); ++n) {
    const PatchGrid grid = batch.grids[static_cast<size_t>(n)];
    const Matrix own = positions.slice_rows(n * length, length);  // [L, C]
    resize_positions(position_embedding_.matrix(), grid, own.slice_rows(0, grid.patches()), workspace);
    // Padding stands where the first patch does, as in the reference.
    for (int64_t i = grid.patches(); i < length; ++i) std::copy_n(own.row(0), own.cols, own.row(i));
  }
  // Here the pictures and the positions come to the device.
  const ConstMatrix pixels = batch.patches.matrix();
  const Matrix patches = workspace.matrix(pixels.rows, pixels.cols);  // [N*L, p*p*3]
  device.copy_in(pixels, patches);
  Tensor hidden({std::ssize(batch.grids), length, config_.hidden_size}, device.memory());
  const Matrix x = hidden.matrix();  // [N*L, C]
  device.copy_in(positions, x);
  device.linear(patches, patch_embedding_, x, {.residual = x});
  return hidden;
}

TowerOutput NaflexTower::forward(const PatchBatch& batch, Workspace& workspace) const {
  Tensor hidden = embed(batch, workspace);  // [N, L, C]
  const int64_t count = hidden.shape()[0];
  const int64_t length = hidden.shape()[1];
  std::vector<uint8_t> seen(static_cast<size_t>(count * length), 0);
  std::vector<int64_t> patches;
  for (const PatchGrid grid : batch.grids) {
    std::fill_n(seen.begin() + std::ssize(patches) * length, grid.patches(), uint8_t{1});
    patches.push_back(grid.patches());
  }

  const Matrix x = hidden.matrix();  // [N*L, C]
  encoder_.forward(x, count, seen, workspace);
  post_layernorm_.forward(x, x, workspace.device());
  TowerOutput output;
  output.pooler_output = Tensor({count, config_.hidden_size}, workspace.device().memory());  // [N, C]
  head_.forward(x, patches, output.pooler_output->matrix(), workspace);
  output.last_hidden_state = std::move(hidden);
  return output;
}

}  // namespace galago
