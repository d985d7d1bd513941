// SigLIP's attention-pooling head: one learned query looks over all patches and becomes the image's vector.
// In: [count * P, C], the tower's output. Out: [count, C], one vector per image.
// Reference: transformers 5.18 SiglipMultiheadAttentionPoolingHead (torch.nn.MultiheadAttention inside) and
// Siglip2MultiheadAttentionPoolingHead, which hides padding.
#pragma once

#include <cstdint>
#include <span>

#include "formats/weights.h"
#include "kernels/kernels.h"
#include "kernels/workspace.h"
#include "nn/vision/encoder.h"

namespace galago {

class PoolingHead {
 public:
  /// scope: the prefix that holds probe, attention., layernorm. and mlp.
  PoolingHead(const EncoderShape& shape, const Scope& scope);
  /// x [count * P, C] -> pooled [count, C].
  void forward(ConstMatrix x, int64_t count, Matrix pooled, Workspace& workspace) const;
  /// The same for images that have patches[n] of P rows each, 1 to P; those behind them are padding.
  void forward(ConstMatrix x, std::span<const int64_t> patches, Matrix pooled, Workspace& workspace) const;

 private:
  kernels::HeadLayout layout_;
  Tensor probe_;                              // [1, C]: the query before its projection
  kernels::Linear q_proj_, k_proj_, v_proj_;  // thirds of one stacked weight [3C, C]
  kernels::Linear out_proj_;
  LayerNorm layernorm_;
  EncoderMlp mlp_;
};

}  // namespace galago
