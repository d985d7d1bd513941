// A Llama-like decoder with random weights, small enough for unit tests: 3 layers, width 16, 4 heads over 2.
#pragma once

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "nn/decoder/llama.h"
#include "support/devices.h"
#include "support/fixtures.h"

namespace galago::test {

class TinyDecoder {
 public:
  TinyDecoder() {
    config.vocab_size = 29;
    config.hidden_size = 16;
    config.intermediate_size = 24;
    config.num_hidden_layers = 3;
    config.num_attention_heads = 4;
    config.num_key_value_heads = 2;
    config.head_dim = 4;
    config.max_position_embeddings = 64;
    config.rms_norm_eps = 1e-5F;
    config.hidden_act = "silu";
  }

  std::unique_ptr<const LlamaDecoder> load(bool tied = false, bool write_head = true) {
    checkpoint_ = weights(write_head && !tied).checkpoint(directory_);  // an own head would count
    Binder binder(checkpoint_, device(backend));
    auto decoder =
        std::make_unique<const LlamaDecoder>(config, tied, binder.root().sub("model"), binder.root());
    binder.finish("tiny decoder");
    return decoder;
  }
  const Checkpoint& checkpoint() const { return checkpoint_; }

  TextConfig config;
  Backend backend = Backend::cpu;
  /// Factors on the weights whose names end so.
  std::vector<std::pair<std::string, float>> factors;

 private:
  Weights weights(bool write_head) const {
    const int64_t d = config.hidden_size;
    const int64_t q = config.num_attention_heads * config.head_dim;
    const int64_t kv = config.num_key_value_heads * config.head_dim;
    Weights w;
    w.add_random("model.embed_tokens.weight", {config.vocab_size, d}, 1);
    for (int64_t i = 0; i < config.num_hidden_layers; ++i) {
      const std::string layer = "model.layers." + std::to_string(i) + ".";
      w.add_norm(layer + "input_layernorm", d, false).add_norm(layer + "post_attention_layernorm", d, false);
      w.add_linear(layer + "self_attn.q_proj", q, d, config.attention_bias);
      w.add_linear(layer + "self_attn.k_proj", kv, d, config.attention_bias);
      w.add_linear(layer + "self_attn.v_proj", kv, d, config.attention_bias);
      w.add_linear(layer + "self_attn.o_proj", d, q, config.attention_bias);
      w.add_linear(layer + "mlp.gate_proj", config.intermediate_size, d, config.mlp_bias);
      w.add_linear(layer + "mlp.up_proj", config.intermediate_size, d, config.mlp_bias);
      w.add_linear(layer + "mlp.down_proj", d, config.intermediate_size, config.mlp_bias);
    }
    w.add_norm("model.norm", d, false);
    if (write_head) w.add_random("lm_head.weight", {config.vocab_size, d}, 1);
    for (const auto& [ending, factor] : factors) w.scale(ending, factor);
    return w;
  }

  TempDir directory_;
  Checkpoint checkpoint_;
};

}  // namespace galago::test
