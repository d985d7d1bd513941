// A Llama-like decoder: grouped-query attention over all positions or a sliding window, rotary positions, RMS
// norm, a gated feed-forward part, tied or untied head, the multipliers of Granite (1 elsewhere).
// In: rows of embeddings [n, D], each with its sequence and position. Out: hidden rows [n, D], logits on
// request. Reference: transformers 5.18 modeling_llama.py, modeling_granite.py, modeling_mistral.py.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "formats/weights.h"
#include "kernels/kernels.h"
#include "nn/decoder/decoder.h"

namespace galago {

/// weight of an RMS norm, as floats of the device.
struct RmsNorm {
  Tensor weight;
  float eps = 0;

  RmsNorm() = default;
  RmsNorm(const TensorView& view, float epsilon, const kernels::Device& device);
  void forward(ConstMatrix x, Matrix y, const kernels::Device& device) const;
};

/// Neighbouring rows of a call that are rotated with the same frequencies [head_dim/2].
struct RopeRun {
  int64_t begin = 0;
  int64_t rows = 0;
  const std::vector<float>* inv_freq = nullptr;
};

/// The rows of one call: what every layer needs to know about them.
struct DecoderBatch {
  std::span<const int32_t> positions;
  std::span<const RopeRun> rope;
  std::span<const RowPlace> places;
  KvCache* cache = nullptr;
};

/// Self-attention of one layer over the cache.
class LlamaAttention {
 public:
  LlamaAttention(const TextConfig& config, const Scope& scope);
  /// y = o_proj(attention(x)) * residual_multiplier + residual; stores the rows' keys and values first. x, y
  /// [n, D].
  void forward(ConstMatrix x, int64_t layer, const DecoderBatch& batch, ConstMatrix residual, Matrix y,
               Workspace& workspace) const;
  int64_t weight_bytes() const;

 private:
  void rotate(Matrix x, const DecoderBatch& batch, const kernels::Device& device) const;
  int64_t first_seen(const RowPlace& place, const KvSequence& sequence) const;

  kernels::HeadLayout layout_;
  kernels::Linear q_proj_, k_proj_, v_proj_, o_proj_;
  float residual_multiplier_;
  float rope_scale_;      // of cosines and sines
  int64_t window_;        // positions that a row sees, its own included
  bool prompt_sees_all_;  // the window is of the rows behind the prompt
};

/// The gated feed-forward part of one layer.
class LlamaMlp {
 public:
  LlamaMlp(const TextConfig& config, const Scope& scope);
  /// y = down(activation(gate(x)) * up(x)) * residual_multiplier + residual.
  void forward(ConstMatrix x, ConstMatrix residual, Matrix y, Workspace& workspace) const;
  int64_t weight_bytes() const;

 private:
  kernels::Linear gate_proj_, up_proj_, down_proj_;
  kernels::Activation activation_;
  float residual_multiplier_;
};

/// One pre-norm decoder layer.
class LlamaLayer {
 public:
  LlamaLayer(const TextConfig& config, const Scope& scope);
  /// In place on x [n, D].
  void forward(Matrix x, int64_t layer, const DecoderBatch& batch, Workspace& workspace) const;
  int64_t weight_bytes() const { return self_attn_.weight_bytes() + mlp_.weight_bytes(); }

 private:
  RmsNorm input_layernorm_;
  LlamaAttention self_attn_;
  RmsNorm post_attention_layernorm_;
  LlamaMlp mlp_;
};

/// The decoder of these layers.
class LlamaDecoder final : public Decoder {
 public:
  /// text: the prefix of embed_tokens, layers and norm; head: the prefix of lm_head.weight. `tied` is what
  /// config.json says: a head that differs from the table is kept all the same, and where one of the two is
  /// missing, the other is both (PreTrainedModel.tie_weights).
  LlamaDecoder(const TextConfig& config, bool tied, const Scope& text, const Scope& head);

  const TextConfig& config() const override { return config_; }
  const kernels::Device& device() const override { return device_; }
  bool rows_stand_alone() const override { return long_inv_freq_.empty() && !config_.prompt_sees_all; }
  KvShape cache_shape(DType dtype = DType::f32) const override;
  void embed(std::span<const int32_t> ids, Matrix out) const override;
  /// embedding_multiplier is applied here.
  void forward(ConstMatrix embeds, std::span<const RowPlace> places, KvCache& cache, Workspace& workspace,
               Matrix hidden) const override;
  void logits(ConstMatrix hidden, Matrix logits) const override;
  int64_t weight_bytes() const override;

 private:
  const kernels::Device& device_;
  TextConfig config_;
  void bind_table_and_head(bool tied, const Scope& text, const Scope& head);
  std::span<const RopeRun> rope_runs(std::span<const RowPlace> places, const KvCache& cache,
                                     Workspace& workspace) const;

  kernels::Weight embed_tokens_;  // [V, D], read row by row
  std::vector<float> inv_freq_;   // [head_dim/2]
  std::vector<float>
      long_inv_freq_;  // of texts beyond rope.original_max_position_embeddings; empty: the same
  std::vector<LlamaLayer> layers_;
  RmsNorm norm_;
  kernels::Linear lm_head_;
};

}  // namespace galago
