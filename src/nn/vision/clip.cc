// The CLIP tower's forward pass; shapes at the right edge. See the header for sources.
#include "nn/vision/clip.h"

#include <algorithm>

#include "nn/vision/siglip.h"

namespace galago {

ClipTower::ClipTower(const VisionConfig& config, const Scope& scope, std::vector<int64_t> taps)
    : config_(config),
      taps_(std::move(taps)),
      class_embedding_(to_tensor(scope.sub("embeddings").tensor("class_embedding", {config.hidden_size}))),
      patch_embedding_(config, scope.sub("embeddings").sub("patch_embedding"), Bias::no),
      pre_layrnorm_(scope.norm("pre_layrnorm", config.hidden_size), config.layer_norm_eps),
      encoder_(encoder_shape(config), scope.sub("encoder")),
      post_layernorm_(scope.norm("post_layernorm", config.hidden_size), config.layer_norm_eps) {
  check_taps(taps_, config.num_hidden_layers);
  const int64_t positions = 1 + config.patches_per_side() * config.patches_per_side();
  const Scope table = scope.sub("embeddings").sub("position_embedding");
  position_embedding_ = to_tensor(table.tensor("weight", {positions, config.hidden_size}));
}

int64_t ClipTower::hidden_size() const {
  return config_.hidden_size * std::max<int64_t>(1, static_cast<int64_t>(taps_.size()));
}

TowerOutput ClipTower::forward(const PixelBatch& batch, int64_t begin, int64_t count,
                               Workspace& workspace) const {
  check_whole_tiles(config_, batch);
  const int64_t c = config_.hidden_size;
  const int64_t rows = 1 + patch_embedding_.patches(batch.pixels);
  Tensor hidden({count, rows, c});
  const Matrix x = hidden.matrix();  // [count*(1+P), C]
  const ConstMatrix positions = position_embedding_.matrix();
  for (int64_t t = 0; t < count; ++t) {
    const Matrix tile = x.slice_rows(t * rows, rows);  // [1+P, C]
    std::transform(class_embedding_.data(), class_embedding_.data() + c, positions.row(0), tile.row(0),
                   [](float token, float position) { return token + position; });
    patch_embedding_.forward(batch.pixels, begin + t, positions.slice_rows(1, rows - 1),
                             tile.slice_rows(1, rows - 1), workspace);
  }
  pre_layrnorm_.forward(x, x, workspace.device());

  TowerOutput output;
  if (!taps_.empty()) {
    output.last_hidden_state = Tensor({count, rows, hidden_size()});  // [count, 1+P, C*taps]
    encoder_.forward_taps(x, count, {}, taps_, output.last_hidden_state->matrix(), workspace);
    return output;
  }
  encoder_.forward(x, count, {}, workspace);
  output.pooler_output = Tensor({count, c});  // [count, C]
  const ConstMatrix class_rows(x.data, count, c, rows * c);
  post_layernorm_.forward(class_rows, output.pooler_output->matrix(), workspace.device());
  output.last_hidden_state = std::move(hidden);
  return output;
}

}  // namespace galago
