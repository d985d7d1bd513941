// The SigLIP vision encoder: patch embedding, position embedding, pre-norm transformer, post layer norm.
// In: normalised tiles [N, 3, H, W] and patch masks. Out: [N, P, C], one vector per patch.
// Reference: transformers 5.18 Idefics3VisionTransformer (modeling_idefics3.py), itself after SigLIP (arXiv
// 2303.15343).
#pragma once

#include <vector>

#include "io/config.h"
#include "io/weights.h"
#include "kernels/kernels.h"
#include "vision/tower.h"

namespace galago {

/// weight and bias of a layer norm, as floats.
struct LayerNorm {
  Tensor weight;
  Tensor bias;
  float eps = 0;

  LayerNorm() = default;
  LayerNorm(const NormView& view, float epsilon);
  /// y = norm(x), row by row; y may be x.
  void forward(ConstMatrix x, Matrix y) const;
};

/// Multi-head self-attention of one encoder layer.
class SiglipAttention {
 public:
  SiglipAttention(const VisionConfig& config, const Scope& scope);
  /// y = out_proj(attention(x)) + residual; x, y [count * P, C] of `count` tiles; key_mask as
  /// PixelBatch::patch_mask.
  void forward(ConstMatrix x, int64_t count, std::span<const uint8_t> key_mask, ConstMatrix residual,
               Matrix y, Workspace& workspace) const;

 private:
  kernels::HeadLayout layout_;
  kernels::Linear q_proj_, k_proj_, v_proj_, out_proj_;
};

/// One pre-norm encoder layer.
class SiglipLayer {
 public:
  SiglipLayer(const VisionConfig& config, const Scope& scope);
  /// In place on x [count * P, C].
  void forward(Matrix x, int64_t count, std::span<const uint8_t> key_mask, Workspace& workspace) const;

 private:
  LayerNorm layer_norm1_;
  SiglipAttention self_attn_;
  LayerNorm layer_norm2_;
  kernels::Activation activation_;
  kernels::Linear fc1_, fc2_;
};

/// The whole tower. Weights are const: it is frozen.
class SiglipTower final : public VisionTower {
 public:
  /// scope: the prefix that holds embeddings., encoder. and post_layernorm.
  SiglipTower(const VisionConfig& config, const Scope& scope);

  TowerOutput forward(const PixelBatch& batch, int64_t begin, int64_t count,
                      Workspace& workspace) const override;
  /// Position ids [N, P] of a batch's patches.
  std::vector<int32_t> position_ids(const PixelBatch& batch) const;
  int64_t patch_size() const override { return config_.patch_size; }
  int64_t hidden_size() const override { return config_.hidden_size; }

 private:
  std::vector<int32_t> position_ids(const PixelBatch& batch, int64_t tile) const;
  void embed_patches(const PixelBatch& batch, int64_t tile, Matrix rows, Workspace& workspace) const;

  VisionConfig config_;
  kernels::Linear
      patch_embedding_;        // a convolution with stride = kernel size is a product with unfolded patches
  Tensor position_embedding_;  // [side * side, C]
  std::vector<SiglipLayer> layers_;
  LayerNorm post_layernorm_;
};

/// The kernels' activation of a config's hidden_act; Error{model_unsupported} names the field.
kernels::Activation activation_from_name(const std::string& name, const std::string& where);

/// Copies the patches of one tile [channels, height, width] to rows [patches, channels * p * p], row-major
/// over the grid, channel by channel within a row. Pixels beyond the last whole patch are left out, as a
/// valid convolution does.
void unfold_patches(const float* tile, int64_t channels, int64_t height, int64_t width, int64_t patch,
                    Matrix rows);

}  // namespace galago
