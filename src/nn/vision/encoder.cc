// The encoder's forward pass; shapes at the right edge. See the header for sources.
#include "nn/vision/encoder.h"

#include <algorithm>
#include <cmath>

#include "galago/error.h"

namespace galago {

EncoderShape encoder_shape(const VisionConfig& config) {
  return {.hidden_size = config.hidden_size,
          .intermediate_size = config.intermediate_size,
          .num_hidden_layers = config.num_hidden_layers,
          .num_attention_heads = config.num_attention_heads,
          .layer_norm_eps = config.layer_norm_eps,
          .activation = activation_from_name(config.hidden_act, "config.json: vision_config.hidden_act")};
}

kernels::Activation activation_from_name(const std::string& name, const std::string& where) {
  if (name == "gelu_pytorch_tanh") return kernels::Activation::gelu_tanh;
  if (name == "gelu") return kernels::Activation::gelu_erf;
  if (name == "quick_gelu") return kernels::Activation::quick_gelu;
  if (name == "silu" || name == "swish") return kernels::Activation::silu;
  if (name == "relu") return kernels::Activation::relu;
  throw Error(ErrorCode::model_unsupported,
              {.where = where, .got = name, .expected = "gelu_pytorch_tanh, gelu, quick_gelu, silu or relu"});
}

LayerNorm::LayerNorm(const NormView& view, float epsilon, const kernels::Device& device)
    : weight(device.prepare(view.weight)), bias(device.prepare(view.bias)), eps(epsilon) {}

void LayerNorm::forward(ConstMatrix x, Matrix y, const kernels::Device& device) const {
  device.layer_norm(x, weight.data(), bias.data(), eps, y);
}

EncoderMlp::EncoderMlp(const EncoderShape& shape, const Scope& scope)
    : activation_(shape.activation),
      fc1_(scope.linear("fc1", {shape.intermediate_size, shape.hidden_size}, Bias::yes), scope.device()),
      fc2_(scope.linear("fc2", {shape.hidden_size, shape.intermediate_size}, Bias::yes), scope.device()) {}

void EncoderMlp::forward(ConstMatrix x, ConstMatrix residual, Matrix y, Workspace& workspace) const {
  Workspace::Frame frame(workspace);
  const Matrix hidden = workspace.matrix(x.rows, fc1_.out_features());  // [n, intermediate]
  workspace.device().feed_forward(x, {{{&fc1_, hidden, {.activation = activation_}}}},
                                  {&fc2_, y, {.residual = residual}});  // [n, C]
}

EncoderAttention::EncoderAttention(const EncoderShape& shape, const Scope& scope) {
  const int64_t d = shape.hidden_size;
  const int64_t head_dim = d / shape.num_attention_heads;
  layout_ = {.heads = shape.num_attention_heads,
             .kv_heads = shape.num_attention_heads,
             .head_dim = head_dim,
             .scale = 1.0F / std::sqrt(static_cast<float>(head_dim))};
  q_proj_ = kernels::Linear(scope.linear("q_proj", {d, d}, Bias::yes), scope.device());
  k_proj_ = kernels::Linear(scope.linear("k_proj", {d, d}, Bias::yes), scope.device());
  v_proj_ = kernels::Linear(scope.linear("v_proj", {d, d}, Bias::yes), scope.device());
  out_proj_ = kernels::Linear(scope.linear("out_proj", {d, d}, Bias::yes), scope.device());
  layout_.arithmetic = q_proj_.arithmetic();
}

void EncoderAttention::forward(ConstMatrix x, int64_t count, std::span<const uint8_t> key_mask,
                               ConstMatrix residual, Matrix y, Workspace& workspace) const {
  Workspace::Frame frame(workspace);
  const kernels::Device& device = workspace.device();
  const int64_t length = x.rows / count;
  const Matrix q = workspace.matrix(x.rows, x.cols);  // [count*L, C]
  const Matrix k = workspace.matrix(x.rows, x.cols);
  const Matrix v = workspace.matrix(x.rows, x.cols);
  device.linear_each(x, {{{&q_proj_, q}, {&k_proj_, k}, {&v_proj_, v}}});
  const Matrix mixed = workspace.matrix(x.rows, x.cols);
  for (int64_t t = 0; t < count; ++t) {  // rows see their own sequence only
    const auto own = [&](Matrix m) { return m.slice_rows(t * length, length); };
    const auto mask = key_mask.empty() ? key_mask : key_mask.subspan(t * length, length);
    device.attention(own(q), own(k), own(v), layout_, mask, own(mixed));
  }
  device.linear(mixed, out_proj_, y, {.residual = residual});
}

EncoderLayer::EncoderLayer(const EncoderShape& shape, const Scope& scope)
    : layer_norm1_(scope.norm("layer_norm1", shape.hidden_size), shape.layer_norm_eps, scope.device()),
      self_attn_(shape, scope.sub("self_attn")),
      layer_norm2_(scope.norm("layer_norm2", shape.hidden_size), shape.layer_norm_eps, scope.device()),
      mlp_(shape, scope.sub("mlp")) {}

void EncoderLayer::forward(Matrix x, int64_t count, std::span<const uint8_t> key_mask,
                           Workspace& workspace) const {
  Workspace::Frame frame(workspace);
  const Matrix normed = workspace.matrix(x.rows, x.cols);  // [count*L, C]
  layer_norm1_.forward(x, normed, workspace.device());
  self_attn_.forward(normed, count, key_mask, x, x, workspace);
  layer_norm2_.forward(x, normed, workspace.device());
  mlp_.forward(normed, x, x, workspace);
}

Encoder::Encoder(const EncoderShape& shape, const Scope& scope) {
  layers_.reserve(static_cast<size_t>(shape.num_hidden_layers));
  for (int64_t i = 0; i < shape.num_hidden_layers; ++i) layers_.emplace_back(shape, scope.sub("layers", i));
}

void Encoder::forward(Matrix x, int64_t count, std::span<const uint8_t> key_mask,
                      Workspace& workspace) const {
  for (const EncoderLayer& layer : layers_) layer.forward(x, count, key_mask, workspace);
}

void Encoder::forward_layer(int64_t index, Matrix x, int64_t count, std::span<const uint8_t> key_mask,
                            Workspace& workspace) const {
  layers_[static_cast<size_t>(index)].forward(x, count, key_mask, workspace);
}

EncoderPass::EncoderPass(const Encoder& encoder, Tensor hidden, std::span<const uint8_t> key_mask,
                         Finish finish)
    : encoder_(encoder),
      hidden_(std::move(hidden)),
      key_mask_(key_mask.begin(), key_mask.end()),
      finish_(std::move(finish)),
      last_(encoder.layers()) {}

EncoderPass::EncoderPass(const Encoder& encoder, Tensor hidden, std::span<const uint8_t> key_mask,
                         std::vector<int64_t> taps)
    : encoder_(encoder),
      hidden_(std::move(hidden)),
      key_mask_(key_mask.begin(), key_mask.end()),
      taps_(std::move(taps)),
      tapped_({hidden_.shape()[0], hidden_.shape()[1], hidden_.shape()[2] * std::ssize(taps_)},
              hidden_.memory()),
      last_(*std::max_element(taps_.begin(), taps_.end())) {}

void EncoderPass::keep(int64_t state, Workspace& workspace) {
  const Matrix x = hidden_.matrix();
  for (size_t k = 0; k < taps_.size(); ++k)
    if (taps_[k] == state)
      workspace.device().copy(x, tapped_.matrix().slice_cols(static_cast<int64_t>(k) * x.cols, x.cols));
}

bool EncoderPass::step(Workspace& workspace) {
  if (done_ == 0) keep(0, workspace);
  if (done_ < last_) {
    encoder_.forward_layer(done_, hidden_.matrix(), hidden_.shape()[0], key_mask_, workspace);
    keep(++done_, workspace);
  }
  return done_ < last_;
}

TowerOutput EncoderPass::finish(Workspace& workspace) {
  if (taps_.empty()) return finish_(std::move(hidden_), workspace);
  TowerOutput output;
  output.last_hidden_state = std::move(tapped_);
  return output;
}

void check_taps(std::span<const int64_t> taps, int64_t num_hidden_layers) {
  for (const int64_t tap : taps)
    if (tap < 0 || tap > num_hidden_layers)
      throw Error(ErrorCode::model_invalid, {.where = "config.json: vision_feature_layer",
                                             .got = "hidden state " + std::to_string(tap),
                                             .expected = "0.." + std::to_string(num_hidden_layers)});
}

}  // namespace galago
