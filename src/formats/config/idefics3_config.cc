// config.json of model_type idefics3 and smolvlm, and the settings of such a model as a whole. The defaults
// are those of transformers 5.18 Idefics3Config, Idefics3VisionConfig, SmolVLMConfig and SmolVLMVisionConfig.
#include <string_view>

#include "core/limits.h"
#include "formats/config/config.h"
#include "formats/config/config_fields.h"
#include "formats/json.h"

namespace galago {
namespace {

/// Idefics3VisionConfig, SmolVLMVisionConfig.
VisionConfig vision_defaults() {
  return {.model_type = "idefics3_vision",
          .hidden_size = 1152,
          .intermediate_size = 3072,
          .num_hidden_layers = 12,
          .num_attention_heads = 16,
          .image_size = 224,
          .patch_size = 32,
          .layer_norm_eps = 1e-6F,
          .hidden_act = "gelu_pytorch_tanh"};
}

/// Idefics3's own encoder, whatever name a file gives it, unless another tower is named.
VisionConfig read_vision(const JsonField& object) {
  object.expect_object();
  if (is_tower_class(string_or(object, "model_type", ""))) return read_tower_config(object, "");
  VisionConfig config = read_vision_config(object, vision_defaults());
  config.model_type = vision_defaults().model_type;
  return config;
}

/// -1: no image token. Idefics3Config's default counts only where the vocabulary has it.
int64_t read_image_token(const JsonField& root, int64_t vocab_size) {
  constexpr int64_t kDefault = 128257;
  const auto field = first_of(root, {"image_token_id", "image_token_index"});
  if (field) return field->integer(-1, vocab_size - 1);
  return kDefault < vocab_size ? kDefault : -1;
}

/// Side of the square of patches that the connector puts into one row. Files older than Idefics3Config's
/// scale_factor keep it in text_config.
int64_t read_scale_factor(const JsonField& root) {
  auto field = first_of(root, {"scale_factor", "pixel_shuffle_factor"});
  if (const auto text = root.find("text_config"); !field && text) field = text->find("pixel_shuffle_factor");
  return field ? field->integer(1, limits::kConfigWidth) : 2;
}

}  // namespace

Idefics3Config parse_idefics3_config(std::string_view json, const std::string& where) {
  const Json document = parse_json(json, where);
  const JsonField root(document, where);
  Idefics3Config config;
  read_common(root, config);

  const Json absent = Json::object();
  const auto vision = root.find("vision_config");
  config.vision = read_vision(vision ? *vision : JsonField(absent, where + ": vision_config"));
  const auto text = root.find("text_config");
  config.text = read_backbone_config(text ? *text : JsonField(absent, where + ": text_config"));
  if (!text) config.text.rms_norm_eps = 1e-5F;  // Idefics3Config's, where there is no text_config
  config.text.logits_scaling = 1;               // Granite's is its own head's; this family has another head

  config.image_token_id = read_image_token(root, config.text.vocab_size);
  config.scale_factor = read_scale_factor(root);
  config.connector_hidden_size =
      integer_or(root, "connector_hidden_size", {1, limits::kConfigWidth}, config.text.hidden_size);
  // The one at the top decides; the same key in text_config is not looked at, as in transformers.
  config.tie_word_embeddings = boolean_or(root, "tie_word_embeddings", false);
  return config;
}

Idefics3Settings read_idefics3_settings(const ModelFiles& files) {
  Idefics3Settings settings;
  settings.model =
      parse_idefics3_config(files.read("config.json", limits::kConfigBytes), files.where("config.json"));
  if (const auto processor = files.find("processor_config.json", limits::kConfigBytes))
    settings.processor = parse_processor_config(*processor, files.where("processor_config.json"));
  const ImageProcessorText preprocessor = read_image_processor(files);
  settings.preprocessor = parse_preprocessor_config(preprocessor.json, preprocessor.where);
  return settings;
}

}  // namespace galago
