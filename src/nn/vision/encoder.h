// The pre-norm transformer encoder that SigLIP's two towers and CLIP's share: every row sees every row.
// In: `count` sequences of L rows of C floats, one below the other. Out: the same shape, in place, or chosen
// hidden states beside each other. Reference: transformers 5.18 SiglipEncoder, CLIPEncoder (same names, same
// arithmetic).
#pragma once

#include <functional>
#include <span>
#include <string>
#include <vector>

#include "formats/config/config.h"
#include "formats/weights.h"
#include "kernels/kernels.h"
#include "kernels/workspace.h"
#include "nn/vision/tower.h"

namespace galago {

/// What the layers of one encoder have in common.
struct EncoderShape {
  int64_t hidden_size = 0;  ///< C
  int64_t intermediate_size = 0;
  int64_t num_hidden_layers = 0;
  int64_t num_attention_heads = 0;
  float layer_norm_eps = 0;
  kernels::Activation activation = kernels::Activation::none;
};

/// The encoder of a vision_config.
EncoderShape encoder_shape(const VisionConfig& config);

/// The kernels' activation of a config's hidden_act; Error{model_unsupported} names the field.
kernels::Activation activation_from_name(const std::string& name, const std::string& where);

/// weight and bias of a layer norm, as floats of the device.
struct LayerNorm {
  Tensor weight;
  Tensor bias;
  float eps = 0;

  LayerNorm() = default;
  LayerNorm(const NormView& view, float epsilon, const kernels::Device& device);
  /// y = norm(x), row by row; y may be x.
  void forward(ConstMatrix x, Matrix y, const kernels::Device& device) const;
};

/// fc2(activation(fc1(x))): the half of a layer that works on each row alone.
class EncoderMlp {
 public:
  EncoderMlp(const EncoderShape& shape, const Scope& scope);
  /// y = mlp(x) + residual; x, y [n, C]; y must not overlap x, residual may be y.
  void forward(ConstMatrix x, ConstMatrix residual, Matrix y, Workspace& workspace) const;

 private:
  kernels::Activation activation_;
  kernels::Linear fc1_, fc2_;
};

/// Multi-head self-attention of one encoder layer.
class EncoderAttention {
 public:
  EncoderAttention(const EncoderShape& shape, const Scope& scope);
  /// y = out_proj(attention(x)) + residual; x, y [count * L, C] of `count` sequences that do not see each
  /// other; key_mask: count * L bytes, 0 hides a row from the others; empty = none hidden.
  void forward(ConstMatrix x, int64_t count, std::span<const uint8_t> key_mask, ConstMatrix residual,
               Matrix y, Workspace& workspace) const;

 private:
  kernels::HeadLayout layout_;
  kernels::Linear q_proj_, k_proj_, v_proj_, out_proj_;
};

/// One pre-norm encoder layer.
class EncoderLayer {
 public:
  EncoderLayer(const EncoderShape& shape, const Scope& scope);
  /// In place on x [count * L, C].
  void forward(Matrix x, int64_t count, std::span<const uint8_t> key_mask, Workspace& workspace) const;

 private:
  LayerNorm layer_norm1_;
  EncoderAttention self_attn_;
  LayerNorm layer_norm2_;
  EncoderMlp mlp_;
};

/// All layers, at once or one by one. Hidden state 0 is what goes into the first layer, hidden state i what
/// layer i gives.
class Encoder {
 public:
  /// scope: the prefix that holds layers.0., layers.1., ...
  Encoder(const EncoderShape& shape, const Scope& scope);
  /// Every layer, in place on x [count * L, C].
  void forward(Matrix x, int64_t count, std::span<const uint8_t> key_mask, Workspace& workspace) const;
  int64_t layers() const { return std::ssize(layers_); }
  /// Layer `index` alone, in place: hidden state index to index + 1.
  void forward_layer(int64_t index, Matrix x, int64_t count, std::span<const uint8_t> key_mask,
                     Workspace& workspace) const;

 private:
  std::vector<EncoderLayer> layers_;
};

/// A tower's pass through its encoder, a layer at a time.
class EncoderPass final : public TowerPass {
 public:
  /// What a tower does behind the last layer, with hidden [count, L, C].
  using Finish = std::function<TowerOutput(Tensor hidden, Workspace& workspace)>;
  /// hidden: [count, L, C], hidden state 0; key_mask: count * L bytes or none. The encoder must outlive it.
  EncoderPass(const Encoder& encoder, Tensor hidden, std::span<const uint8_t> key_mask, Finish finish);
  /// Hidden state taps[k] goes to columns [k * C, (k + 1) * C) of the output [count, L, C * taps]. Layers
  /// after the last tap do not run, and no other hidden state is kept. Taps as check_taps wants them.
  EncoderPass(const Encoder& encoder, Tensor hidden, std::span<const uint8_t> key_mask,
              std::vector<int64_t> taps);

  bool step(Workspace& workspace) override;
  TowerOutput finish(Workspace& workspace) override;

 private:
  void keep(int64_t state, Workspace& workspace);

  const Encoder& encoder_;
  Tensor hidden_;                  // [count, L, C]
  std::vector<uint8_t> key_mask_;  // [count * L], or empty
  std::vector<int64_t> taps_;
  Tensor tapped_;  // [count, L, C * taps]
  Finish finish_;
  int64_t done_ = 0;  // layers
  int64_t last_ = 0;
};

/// Error{model_invalid} unless each tap names a hidden state, 0..num_hidden_layers.
void check_taps(std::span<const int64_t> taps, int64_t num_hidden_layers);

}  // namespace galago
