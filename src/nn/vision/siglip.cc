// The SigLIP tower's forward pass; shapes at the right edge. See the header for sources.
#include "nn/vision/siglip.h"

#include <algorithm>
#include <numeric>
#include <string>

#include "galago/error.h"
#include "nn/vision/position_ids.h"

namespace galago {

void check_whole_tiles(const VisionConfig& config, const PixelBatch& batch) {
  const Shape& shape = batch.pixels.shape();
  if (shape[2] != config.image_size || shape[3] != config.image_size)
    throw Error(ErrorCode::input_invalid,
                {.where = "vision tower input",
                 .got = to_string(shape),
                 .expected = "tiles of " + std::to_string(config.image_size) + " x " +
                             std::to_string(config.image_size) + " pixels (vision_config.image_size)"});
  if (!std::all_of(batch.patch_mask.begin(), batch.patch_mask.end(), [](uint8_t seen) { return seen != 0; }))
    throw Error(ErrorCode::input_invalid, {.where = "vision tower patch mask",
                                           .got = "padding",
                                           .expected = "all picture: this tower has no attention mask"});
}

SiglipTower::SiglipTower(const VisionConfig& config, const Scope& scope, SiglipOptions options)
    : config_(config),
      options_(std::move(options)),
      patch_embedding_(config, scope.sub("embeddings").sub("patch_embedding"), Bias::yes),
      encoder_(encoder_shape(config), scope.sub("encoder")),
      post_layernorm_(scope.norm("post_layernorm", config.hidden_size), config.layer_norm_eps,
                      scope.device()) {
  check_taps(options_.taps, config.num_hidden_layers);
  const int64_t positions = config.patches_per_side() * config.patches_per_side();
  const Scope table = scope.sub("embeddings").sub("position_embedding");
  position_embedding_ = scope.device().prepare(table.tensor("weight", {positions, config.hidden_size}));
  if (options_.pooling_head) head_.emplace(encoder_shape(config), scope.sub("head"));
}

int64_t SiglipTower::hidden_size() const {
  return config_.hidden_size * std::max<int64_t>(1, static_cast<int64_t>(options_.taps.size()));
}

std::vector<int32_t> SiglipTower::position_ids(const PixelBatch& batch, int64_t tile) const {
  const int64_t patches = patch_embedding_.patches(batch.pixels);
  if (options_.positions == PatchPositions::in_order) {
    std::vector<int32_t> ids(static_cast<size_t>(patches));
    std::iota(ids.begin(), ids.end(), 0);
    return ids;
  }
  const std::vector<uint8_t> all_picture(batch.patch_mask.empty() ? static_cast<size_t>(patches) : 0, 1);
  const auto mask = batch.patch_mask.empty() ? std::span<const uint8_t>(all_picture)
                                             : std::span(batch.patch_mask).subspan(tile * patches, patches);
  return vision_position_ids(mask, patch_embedding_.grid_height(batch.pixels),
                             patch_embedding_.grid_width(batch.pixels), config_.patches_per_side());
}

std::vector<int32_t> SiglipTower::position_ids(const PixelBatch& batch) const {
  std::vector<int32_t> ids;
  for (int64_t t = 0; t < batch.pixels.shape()[0]; ++t) {
    const std::vector<int32_t> tile = position_ids(batch, t);
    ids.insert(ids.end(), tile.begin(), tile.end());
  }
  return ids;
}

// rows [P, C] = patch embedding + position embedding of one tile.
void SiglipTower::embed_patches(const PixelBatch& batch, int64_t tile, Matrix rows,
                                Workspace& workspace) const {
  Workspace::Frame frame(workspace);
  const std::vector<int32_t> ids = position_ids(batch, tile);
  const Matrix positions = workspace.matrix(rows.rows, rows.cols);  // [P, C]
  workspace.device().gather_rows(rows_view(position_embedding_), ids, positions);
  patch_embedding_.forward(batch.pixels, tile, positions, rows, workspace);  // [P, C]
}

TowerOutput SiglipTower::forward(const PixelBatch& batch, int64_t begin, int64_t count,
                                 Workspace& workspace) const {
  return run(*start(batch, begin, count, workspace), workspace);
}

std::unique_ptr<TowerPass> SiglipTower::start(const PixelBatch& batch, int64_t begin, int64_t count,
                                              Workspace& workspace) const {
  if (options_.positions == PatchPositions::in_order) check_whole_tiles(config_, batch);
  const int64_t patches = patch_embedding_.patches(batch.pixels);
  std::span<const uint8_t> mask(batch.patch_mask);
  if (!mask.empty()) mask = mask.subspan(begin * patches, count * patches);

  Tensor hidden({count, patches, config_.hidden_size}, workspace.device().memory());
  for (int64_t t = 0; t < count; ++t)
    embed_patches(batch, begin + t, hidden.matrix().slice_rows(t * patches, patches), workspace);

  if (!options_.taps.empty())
    return std::make_unique<EncoderPass>(encoder_, std::move(hidden), mask, options_.taps);
  return std::make_unique<EncoderPass>(
      encoder_, std::move(hidden), mask,
      [this](Tensor last, Workspace& scratch) { return after_layers(std::move(last), scratch); });
}

TowerOutput SiglipTower::after_layers(Tensor hidden, Workspace& workspace) const {
  const kernels::Device& device = workspace.device();
  const Matrix x = hidden.matrix();  // [count*P, C]
  post_layernorm_.forward(x, x, device);
  TowerOutput output;
  if (head_) {
    const int64_t count = hidden.shape()[0];
    output.pooler_output = Tensor({count, config_.hidden_size}, device.memory());  // [count, C]
    head_->forward(x, count, output.pooler_output->matrix(), workspace);
  }
  output.last_hidden_state = std::move(hidden);  // [count, P, C]
  return output;
}

}  // namespace galago
