// The CLIP tower's forward pass; shapes at the right edge. See the header for sources.
#include "nn/vision/clip.h"

#include <algorithm>

#include "nn/vision/siglip.h"

namespace galago {

ClipTower::ClipTower(const VisionConfig& config, const Scope& scope, std::vector<int64_t> taps)
    : config_(config),
      taps_(std::move(taps)),
      patch_embedding_(config, scope.sub("embeddings").sub("patch_embedding"), Bias::no),
      pre_layrnorm_(scope.norm("pre_layrnorm", config.hidden_size), config.layer_norm_eps, scope.device()),
      encoder_(encoder_shape(config), scope.sub("encoder")),
      post_layernorm_(scope.norm("post_layernorm", config.hidden_size), config.layer_norm_eps,
                      scope.device()) {
  check_taps(taps_, config.num_hidden_layers);
  const int64_t positions = 1 + config.patches_per_side() * config.patches_per_side();
  const int64_t c = config.hidden_size;
  const Scope embeddings = scope.sub("embeddings");
  const TensorView token = embeddings.tensor("class_embedding", {c});
  TensorView table = embeddings.sub("position_embedding").tensor("weight", {positions, c});
  if (!token.data || !table.data) return;
  Tensor row({1, c});
  for (int64_t i = 0; i < c; ++i) row.data()[i] = element(token, i) + element(table, i);
  class_row_ = scope.device().on_device(std::move(row));
  table.shape = {positions - 1, c};
  table.data += c * size_of(table.dtype);
  position_embedding_ = scope.device().prepare(table);
}

int64_t ClipTower::hidden_size() const {
  return config_.hidden_size * std::max<int64_t>(1, static_cast<int64_t>(taps_.size()));
}

TowerOutput ClipTower::forward(const PixelBatch& batch, int64_t begin, int64_t count,
                               Workspace& workspace) const {
  return run(*start(batch, begin, count, workspace), workspace);
}

std::unique_ptr<TowerPass> ClipTower::start(const PixelBatch& batch, int64_t begin, int64_t count,
                                            Workspace& workspace) const {
  check_whole_tiles(config_, batch);
  const int64_t rows = 1 + patch_embedding_.patches(batch.pixels);
  const kernels::Device& device = workspace.device();
  Tensor hidden({count, rows, config_.hidden_size}, device.memory());
  const Matrix x = hidden.matrix();  // [count*(1+P), C]
  for (int64_t t = 0; t < count; ++t) {
    const Matrix tile = x.slice_rows(t * rows, rows);  // [1+P, C]
    device.copy(class_row_.matrix(), tile.slice_rows(0, 1));
    patch_embedding_.forward(batch.pixels, begin + t, position_embedding_.matrix(),
                             tile.slice_rows(1, rows - 1), workspace);
  }
  pre_layrnorm_.forward(x, x, device);

  if (!taps_.empty())
    return std::make_unique<EncoderPass>(encoder_, std::move(hidden), std::span<const uint8_t>(), taps_);
  return std::make_unique<EncoderPass>(
      encoder_, std::move(hidden), std::span<const uint8_t>(),
      [this](Tensor last, Workspace& scratch) { return after_layers(std::move(last), scratch); });
}

TowerOutput ClipTower::after_layers(Tensor hidden, Workspace& workspace) const {
  const kernels::Device& device = workspace.device();
  const int64_t count = hidden.shape()[0], rows = hidden.shape()[1], c = config_.hidden_size;
  TowerOutput output;
  output.pooler_output = Tensor({count, c}, device.memory());  // [count, C]
  const ConstMatrix class_rows(hidden.data(), count, c, rows * c);
  post_layernorm_.forward(class_rows, output.pooler_output->matrix(), device);
  output.last_hidden_state = std::move(hidden);  // [count, 1+P, C]
  return output;
}

}  // namespace galago
