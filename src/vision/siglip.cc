// The SigLIP encoder's forward pass; shapes at the right edge. See the header for sources.
#include "vision/siglip.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <string>

#include "galago/error.h"
#include "vision/position_ids.h"

namespace galago {
namespace {

// The convolution's kernel [C, channels, p, p] read as the weight of a linear layer [C, channels * p * p].
LinearView patch_linear(const VisionConfig& config, const Scope& scope) {
  const int64_t c = config.hidden_size;
  const int64_t p = config.patch_size;
  LinearView view;
  view.weight = scope.tensor("weight", {c, config.num_channels, p, p});
  view.bias = scope.tensor("bias", {c});
  view.weight.shape = {c, config.num_channels * p * p};
  return view;
}

}  // namespace

kernels::Activation activation_from_name(const std::string& name, const std::string& where) {
  if (name == "gelu_pytorch_tanh") return kernels::Activation::gelu_tanh;
  if (name == "gelu") return kernels::Activation::gelu_erf;
  if (name == "quick_gelu") return kernels::Activation::quick_gelu;
  if (name == "silu" || name == "swish") return kernels::Activation::silu;
  if (name == "relu") return kernels::Activation::relu;
  throw Error(ErrorCode::model_unsupported,
              {.where = where, .got = name, .expected = "gelu_pytorch_tanh, gelu, quick_gelu, silu or relu"});
}

void unfold_patches(const float* tile, int64_t channels, int64_t height, int64_t width, int64_t patch,
                    Matrix rows) {
  const int64_t grid_h = height / patch;
  const int64_t grid_w = width / patch;
  for (int64_t gy = 0; gy < grid_h; ++gy)
    for (int64_t gx = 0; gx < grid_w; ++gx) {
      float* out = rows.row(gy * grid_w + gx);
      for (int64_t c = 0; c < channels; ++c)
        for (int64_t y = 0; y < patch; ++y, out += patch)
          std::copy_n(tile + (c * height + gy * patch + y) * width + gx * patch, patch, out);
    }
}

LayerNorm::LayerNorm(const NormView& view, float epsilon)
    : weight(to_tensor(view.weight)), bias(to_tensor(view.bias)), eps(epsilon) {}

void LayerNorm::forward(ConstMatrix x, Matrix y) const {
  kernels::layer_norm(x, weight.data(), bias.data(), eps, y);
}

SiglipAttention::SiglipAttention(const VisionConfig& config, const Scope& scope) {
  const int64_t d = config.hidden_size;
  const int64_t head_dim = d / config.num_attention_heads;
  layout_ = {.heads = config.num_attention_heads,
             .kv_heads = config.num_attention_heads,
             .head_dim = head_dim,
             .scale = 1.0F / std::sqrt(static_cast<float>(head_dim))};
  q_proj_ = kernels::Linear(scope.linear("q_proj", {d, d}, Bias::yes));
  k_proj_ = kernels::Linear(scope.linear("k_proj", {d, d}, Bias::yes));
  v_proj_ = kernels::Linear(scope.linear("v_proj", {d, d}, Bias::yes));
  out_proj_ = kernels::Linear(scope.linear("out_proj", {d, d}, Bias::yes));
}

void SiglipAttention::forward(ConstMatrix x, int64_t count, std::span<const uint8_t> key_mask,
                              ConstMatrix residual, Matrix y, Workspace& workspace) const {
  Workspace::Frame frame(workspace);
  const int64_t patches = x.rows / count;
  const Matrix q = workspace.matrix(x.rows, x.cols);  // [count*P, C]
  const Matrix k = workspace.matrix(x.rows, x.cols);
  const Matrix v = workspace.matrix(x.rows, x.cols);
  kernels::linear(x, q_proj_, q);
  kernels::linear(x, k_proj_, k);
  kernels::linear(x, v_proj_, v);
  const Matrix mixed = workspace.matrix(x.rows, x.cols);
  for (int64_t t = 0; t < count; ++t) {  // patches see their own tile only
    const auto tile = [&](Matrix m) { return m.slice_rows(t * patches, patches); };
    const auto mask = key_mask.empty() ? key_mask : key_mask.subspan(t * patches, patches);
    kernels::attention(tile(q), tile(k), tile(v), layout_, mask, tile(mixed));
  }
  kernels::linear(mixed, out_proj_, y, {.residual = residual});
}

SiglipLayer::SiglipLayer(const VisionConfig& config, const Scope& scope)
    : layer_norm1_(scope.norm("layer_norm1", config.hidden_size), config.layer_norm_eps),
      self_attn_(config, scope.sub("self_attn")),
      layer_norm2_(scope.norm("layer_norm2", config.hidden_size), config.layer_norm_eps),
      activation_(activation_from_name(config.hidden_act, "config.json: vision_config.hidden_act")),
      fc1_(scope.sub("mlp").linear("fc1", {config.intermediate_size, config.hidden_size}, Bias::yes)),
      fc2_(scope.sub("mlp").linear("fc2", {config.hidden_size, config.intermediate_size}, Bias::yes)) {}

void SiglipLayer::forward(Matrix x, int64_t count, std::span<const uint8_t> key_mask,
                          Workspace& workspace) const {
  Workspace::Frame frame(workspace);
  const Matrix normed = workspace.matrix(x.rows, x.cols);  // [count*P, C]
  layer_norm1_.forward(x, normed);
  self_attn_.forward(normed, count, key_mask, x, x, workspace);
  layer_norm2_.forward(x, normed);
  const Matrix hidden = workspace.matrix(x.rows, fc1_.out_features());  // [count*P, intermediate]
  kernels::linear(normed, fc1_, hidden, {.activation = activation_});
  kernels::linear(hidden, fc2_, x, {.residual = x});
}

SiglipTower::SiglipTower(const VisionConfig& config, const Scope& scope)
    : config_(config),
      patch_embedding_(patch_linear(config, scope.sub("embeddings").sub("patch_embedding"))) {
  if (config.num_channels != 3)  // the image station makes RGB
    throw Error(ErrorCode::model_unsupported, {.where = "config.json: vision_config.num_channels",
                                               .got = std::to_string(config.num_channels),
                                               .expected = "3"});
  const int64_t positions = config.patches_per_side() * config.patches_per_side();
  const Scope table = scope.sub("embeddings").sub("position_embedding");
  position_embedding_ = to_tensor(table.tensor("weight", {positions, config.hidden_size}));
  layers_.reserve(static_cast<size_t>(config.num_hidden_layers));
  for (int64_t i = 0; i < config.num_hidden_layers; ++i)
    layers_.emplace_back(config, scope.sub("encoder").sub("layers", i));
  post_layernorm_ = LayerNorm(scope.norm("post_layernorm", config.hidden_size), config.layer_norm_eps);
}

std::vector<int32_t> SiglipTower::position_ids(const PixelBatch& batch, int64_t tile) const {
  const int64_t grid_h = batch.pixels.shape()[2] / config_.patch_size;
  const int64_t grid_w = batch.pixels.shape()[3] / config_.patch_size;
  const int64_t patches = grid_h * grid_w;
  const std::vector<uint8_t> all_picture(batch.patch_mask.empty() ? static_cast<size_t>(patches) : 0, 1);
  const auto mask = batch.patch_mask.empty() ? std::span<const uint8_t>(all_picture)
                                             : std::span(batch.patch_mask).subspan(tile * patches, patches);
  return vision_position_ids(mask, grid_h, grid_w, config_.patches_per_side());
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
  const Shape& shape = batch.pixels.shape();  // [N, 3, H, W]
  const int64_t p = config_.patch_size;
  const float* pixels = batch.pixels.data() + tile * shape[1] * shape[2] * shape[3];
  const Matrix patches = workspace.matrix(rows.rows, shape[1] * p * p);  // [P, 3*p*p]
  unfold_patches(pixels, shape[1], shape[2], shape[3], p, patches);
  const std::vector<int32_t> ids = position_ids(batch, tile);
  const Matrix positions = workspace.matrix(rows.rows, rows.cols);  // [P, C]
  const ConstMatrix table = position_embedding_.matrix();
  for (int64_t i = 0; i < rows.rows; ++i)
    std::copy_n(table.row(ids[static_cast<size_t>(i)]), rows.cols, positions.row(i));
  kernels::linear(patches, patch_embedding_, rows, {.residual = positions});  // [P, C]
}

TowerOutput SiglipTower::forward(const PixelBatch& batch, int64_t begin, int64_t count,
                                 Workspace& workspace) const {
  const Shape& shape = batch.pixels.shape();
  const int64_t patches = (shape[2] / config_.patch_size) * (shape[3] / config_.patch_size);
  std::span<const uint8_t> mask(batch.patch_mask);
  if (!mask.empty()) mask = mask.subspan(begin * patches, count * patches);

  Tensor hidden({count, patches, config_.hidden_size});
  const Matrix x = hidden.matrix();  // [count*P, C]
  for (int64_t t = 0; t < count; ++t)
    embed_patches(batch, begin + t, x.slice_rows(t * patches, patches), workspace);
  for (const SiglipLayer& layer : layers_) layer.forward(x, count, mask, workspace);
  post_layernorm_.forward(x, x);
  return {.last_hidden_state = std::move(hidden), .pooler_output = std::nullopt};
}

}  // namespace galago
