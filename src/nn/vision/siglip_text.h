// SigLIP's text tower: token and position embeddings, the same encoder as the vision tower's, the last row
// projected. It lies beside the vision tower because the two share the encoder, and are one model.
// In: ids of texts, all of one length, padding included. Out: [n, projection], one vector per text.
// Reference: transformers 5.18 SiglipTextModel (no causal mask; padding is
// seen like any other token unless a mask hides it).
#pragma once

#include <cstdint>
#include <span>

#include "formats/config/siglip_config.h"
#include "formats/weights.h"
#include "kernels/workspace.h"
#include "nn/vision/encoder.h"

namespace galago {

/// The whole tower. Const after construction, safe to share between threads.
class SiglipTextTower {
 public:
  /// scope: the prefix that holds embeddings., encoder., final_layer_norm. and head. The checkpoint's memory
  /// must outlive the tower.
  SiglipTextTower(const SiglipTextConfig& config, const Scope& scope);

  /// ids [count * L], text by text -> [count, projection_size]. key_mask: a byte for each id, 0 hides it from
  /// the others of its text; empty = none hidden. The last row is the text's vector, hidden or not.
  /// Error{input_invalid} unless 1 <= L <= max_position_embeddings, every id is in the vocabulary and every
  /// text has an id that is not hidden.
  Tensor forward(std::span<const int32_t> ids, int64_t count, std::span<const uint8_t> key_mask,
                 Workspace& workspace) const;

 private:
  void check_ids(std::span<const int32_t> ids, int64_t count, std::span<const uint8_t> key_mask) const;

  SiglipTextConfig config_;
  kernels::Weight token_embedding_;  // [vocabulary, C]
  Tensor position_embedding_;        // [max_position_embeddings, C]
  Encoder encoder_;
  LayerNorm final_layer_norm_;
  kernels::Linear head_;
};

}  // namespace galago
