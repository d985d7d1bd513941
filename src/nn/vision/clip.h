// The CLIP vision tower: patch embedding, a class token in front, learned positions, pre layer norm, pre-norm
// encoder.
// In: normalised whole tiles [N, 3, S, S]. Out: [N, 1 + P, C]: the class token's row, then one row per patch;
// or the chosen hidden states beside each other. Reference: transformers 5.18 CLIPVisionModel
// (modeling_clip.py; arXiv 2103.00020).
#pragma once

#include <vector>

#include "formats/config/config.h"
#include "formats/weights.h"
#include "nn/vision/encoder.h"
#include "nn/vision/patches.h"
#include "nn/vision/tower.h"

namespace galago {

/// The whole tower. Weights are const: it is frozen.
class ClipTower final : public VisionTower {
 public:
  /// scope: the prefix that holds embeddings., pre_layrnorm., encoder. and post_layernorm. taps: hidden
  /// states to give instead of the last one, as EncoderPass. Error{model_invalid} for a tap that is
  /// no hidden state.
  ClipTower(const VisionConfig& config, const Scope& scope, std::vector<int64_t> taps = {});

  /// Error{input_invalid} for tiles of another size than image_size or with padding. Without taps also
  /// pooler_output [N, C]: the class token's row after the post layer norm, which nothing else goes through.
  TowerOutput forward(const PixelBatch& batch, int64_t begin, int64_t count,
                      Workspace& workspace) const override;
  std::unique_ptr<TowerPass> start(const PixelBatch& batch, int64_t begin, int64_t count,
                                   Workspace& workspace) const override;
  int64_t patch_size() const override { return config_.patch_size; }
  /// C, or C * taps.
  int64_t hidden_size() const override;
  int64_t class_tokens() const override { return 1; }

 private:
  TowerOutput after_layers(Tensor hidden, Workspace& workspace) const;

  VisionConfig config_;
  std::vector<int64_t> taps_;
  PatchEmbedding patch_embedding_;
  Tensor class_row_;           // [1, C]: the class token at its position
  Tensor position_embedding_;  // [side * side, C], of the patches
  LayerNorm pre_layrnorm_;     // the checkpoints' spelling
  Encoder encoder_;
  LayerNorm post_layernorm_;
};

}  // namespace galago
