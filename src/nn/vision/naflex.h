// SigLIP2's vision tower for pictures of any shape (NaFlex): patches embedded, the table of positions resized
// to each picture's grid, SigLIP's encoder and pooling head with padding hidden. In: pictures as lists of
// patches. Out: [N, L, C], one vector per patch, and [N, C], one per picture. Reference: transformers 5.18
// Siglip2VisionModel (modeling_siglip2.py; arXiv 2502.14786).
#pragma once

#include "core/patch_batch.h"
#include "formats/config/config.h"
#include "formats/weights.h"
#include "kernels/kernels.h"
#include "kernels/workspace.h"
#include "nn/vision/encoder.h"
#include "nn/vision/pooling_head.h"
#include "nn/vision/tower.h"

namespace galago {

/// The whole tower. Const after construction, safe to share between threads.
class NaflexTower {
 public:
  /// scope: the prefix that holds embeddings., encoder., post_layernorm. and head. The table of positions is
  /// that of a square of config.image_size. Error{model_unsupported} unless the config has three channels.
  NaflexTower(const VisionConfig& config, const Scope& scope);

  /// What enters the first layer, [N, L, C]. Error{input_invalid} unless the patches are of the tower's size
  /// and every picture's grid has 1 to L of them.
  Tensor embed(const PatchBatch& batch, Workspace& workspace) const;
  /// last_hidden_state [N, L, C], padding included, and pooler_output [N, C].
  TowerOutput forward(const PatchBatch& batch, Workspace& workspace) const;

 private:
  void check(const PatchBatch& batch) const;

  VisionConfig config_;
  kernels::Linear patch_embedding_;  // [C, p * p * 3]
  Tensor position_embedding_;        // [side * side, C], the host's: resized there for each picture
  Encoder encoder_;
  LayerNorm post_layernorm_;
  PoolingHead head_;
};

}  // namespace galago
