// The SigLIP vision tower: patch embedding, position embedding, pre-norm encoder, post layer norm, and, where
// it stands alone, the attention-pooling head.
// In: normalised tiles [N, 3, H, W] and patch masks. Out: [N, P, C], one vector per patch, or the chosen
// hidden states beside each other. Reference: transformers 5.18 SiglipVisionModel (modeling_siglip.py; arXiv
// 2303.15343) and Idefics3VisionTransformer (modeling_idefics3.py) for tiles of any size.
#pragma once

#include <vector>

#include "formats/config/config.h"
#include "formats/weights.h"
#include "nn/vision/encoder.h"
#include "nn/vision/patches.h"
#include "nn/vision/pooling_head.h"
#include "nn/vision/tower.h"

namespace galago {

/// How a patch finds its row of the position table.
enum class PatchPositions {
  bucketed,  ///< by the fraction of the tile at which it lies: tiles of any size, with padding (Idefics3)
  in_order,  ///< 0, 1, 2, ...: whole tiles of image_size only (SigLIP alone, LLaVA)
};

/// What differs between a SigLIP tower on its own and one inside a vision-language model.
struct SiglipOptions {
  PatchPositions positions = PatchPositions::bucketed;
  /// Hidden states to give instead of the last one, as EncoderPass; no post layer norm then.
  std::vector<int64_t> taps;
  /// Also fill pooler_output, by the weights under head. Not together with taps.
  bool pooling_head = false;
};

/// The whole tower. Weights are const: it is frozen.
class SiglipTower final : public VisionTower {
 public:
  /// scope: the prefix that holds embeddings., encoder. and post_layernorm. Error{model_invalid} for a tap
  /// that is no hidden state.
  SiglipTower(const VisionConfig& config, const Scope& scope, SiglipOptions options = {});

  /// With PatchPositions::in_order, Error{input_invalid} for tiles of another size or with padding.
  TowerOutput forward(const PixelBatch& batch, int64_t begin, int64_t count,
                      Workspace& workspace) const override;
  std::unique_ptr<TowerPass> start(const PixelBatch& batch, int64_t begin, int64_t count,
                                   Workspace& workspace) const override;
  /// Position ids [N, P] of a batch's patches.
  std::vector<int32_t> position_ids(const PixelBatch& batch) const override;
  int64_t patch_size() const override { return config_.patch_size; }
  /// C, or C * taps.
  int64_t hidden_size() const override;

 private:
  std::vector<int32_t> position_ids(const PixelBatch& batch, int64_t tile) const;
  void embed_patches(const PixelBatch& batch, int64_t tile, Matrix rows, Workspace& workspace) const;
  TowerOutput after_layers(Tensor hidden, Workspace& workspace) const;

  VisionConfig config_;
  SiglipOptions options_;
  PatchEmbedding patch_embedding_;
  Tensor position_embedding_;  // [side * side, C]
  Encoder encoder_;
  LayerNorm post_layernorm_;
  std::optional<PoolingHead> head_;
};

/// Error{input_invalid} unless the batch's tiles are image_size pixels square and all picture: what a table
/// of positions without buckets can place.
void check_whole_tiles(const VisionConfig& config, const PixelBatch& batch);

}  // namespace galago
