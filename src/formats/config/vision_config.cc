// The vision towers' settings, chosen by vision_config.model_type. Defaults are those of transformers 5.18
// SiglipVisionConfig and CLIPVisionConfig.
#include <array>
#include <string>

#include "formats/config/config.h"
#include "formats/config/config_fields.h"

namespace galago {

VisionConfig siglip_vision_defaults() {
  return {.model_type = "siglip_vision_model",
          .hidden_size = 768,
          .intermediate_size = 3072,
          .num_hidden_layers = 12,
          .num_attention_heads = 12,
          .num_channels = 3,
          .image_size = 224,
          .patch_size = 16,
          .layer_norm_eps = 1e-6F,
          .hidden_act = "gelu_pytorch_tanh"};
}

VisionConfig clip_vision_defaults() {
  return {.model_type = "clip_vision_model",
          .hidden_size = 768,
          .intermediate_size = 3072,
          .num_hidden_layers = 12,
          .num_attention_heads = 12,
          .num_channels = 3,
          .image_size = 224,
          .patch_size = 32,
          .layer_norm_eps = 1e-5F,
          .hidden_act = "quick_gelu"};
}

bool is_tower_class(const std::string& model_type) {
  return model_type == siglip_vision_defaults().model_type || model_type == clip_vision_defaults().model_type;
}

VisionConfig read_tower_config(const JsonField& object, const std::string& absent_type) {
  object.expect_object();
  const std::string type = string_or(object, "model_type", absent_type);
  for (const VisionConfig& defaults : {siglip_vision_defaults(), clip_vision_defaults()})
    if (type == defaults.model_type) return read_vision_config(object, defaults);
  object.at("model_type").unsupported("siglip_vision_model or clip_vision_model");
}

}  // namespace galago
