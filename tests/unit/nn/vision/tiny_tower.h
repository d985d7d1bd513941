// A SigLIP tower with random weights, small enough for unit tests: 4 x 4 patches of 2 pixels, width 8.
#pragma once

#include <memory>

#include "formats/weights.h"
#include "nn/vision/siglip.h"
#include "support/devices.h"
#include "support/fixtures.h"

namespace galago::test {

class TinyTower {
 public:
  TinyTower() {
    config.hidden_size = 8;
    config.intermediate_size = 12;
    config.num_hidden_layers = 2;
    config.num_attention_heads = 2;
    config.image_size = 8;
    config.patch_size = 2;
    config.layer_norm_eps = 1e-6F;
    config.hidden_act = "gelu_pytorch_tanh";
  }

  std::shared_ptr<const SiglipTower> load(SiglipOptions options = {}) {
    checkpoint_ = weights().checkpoint(directory_);
    Binder binder(checkpoint_, test::device());
    auto tower = std::make_shared<const SiglipTower>(config, binder.root(), std::move(options));
    binder.finish("tiny tower");
    return tower;
  }

  VisionConfig config;

 private:
  Weights weights() const {
    const int64_t c = config.hidden_size;
    Weights w;
    w.add_random("embeddings.patch_embedding.weight",
                 {c, config.num_channels, config.patch_size, config.patch_size});
    w.add_random("embeddings.patch_embedding.bias", {c});
    w.add_random("embeddings.position_embedding.weight",
                 {config.patches_per_side() * config.patches_per_side(), c});
    for (int64_t i = 0; i < config.num_hidden_layers; ++i) {
      const std::string layer = "encoder.layers." + std::to_string(i) + ".";
      w.add_norm(layer + "layer_norm1", c, true).add_norm(layer + "layer_norm2", c, true);
      for (const char* name : {"q_proj", "k_proj", "v_proj", "out_proj"})
        w.add_linear(layer + "self_attn." + name, c, c, true);
      w.add_linear(layer + "mlp.fc1", config.intermediate_size, c, true);
      w.add_linear(layer + "mlp.fc2", c, config.intermediate_size, true);
    }
    w.add_norm("post_layernorm", c, true);
    return w;
  }

  TempDir directory_;
  Checkpoint checkpoint_;
};

}  // namespace galago::test
