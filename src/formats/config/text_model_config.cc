// The text models' settings: a Llama-like decoder whose class is named by model_type, alone in config.json or
// inside a vision-language model's. Defaults and the keys that a class looks at are those of
// transformers 5.18 LlamaConfig, MistralConfig, GraniteConfig.
#include <array>
#include <string>

#include "core/limits.h"
#include "formats/config/config.h"
#include "formats/config/config_fields.h"
#include "formats/json.h"

namespace galago {
namespace {

constexpr double kMostMultiplier = 1e6;
constexpr double kLeastDivisor = 1e-6;

/// layer_types, where it is there, must name the one kind of attention that all layers have.
void check_layer_types(const JsonField& object, const char* kind) {
  const auto types = object.find("layer_types");
  for (size_t i = 0; types && i < types->size(); ++i)
    if (types->at(i).string() != kind) types->at(i).unsupported(std::string("\"") + kind + "\"");
}

/// The reference's cache cuts itself to "the last 0 positions" for a window of 1, which is all of them.
int64_t read_window(const JsonField& window) {
  const int64_t rows = window.integer(1, limits::kConfigPositions);
  if (rows == 1) window.unsupported("2 or more, or null for no window");
  return rows;
}

/// LlamaModel's mask knows no window, but its cache does: a prompt sees everything, what is generated sees
/// the last positions. With layer_types of full attention the cache knows none either.
TextConfig read_llama(const JsonField& object) {
  TextConfig config = read_text_config(object, llama_defaults());
  const auto window = object.find("sliding_window");
  const bool full = object.has("layer_types");
  check_layer_types(object, "full_attention");
  if (!window || full) return config;
  config.sliding_window = read_window(*window);
  config.prompt_sees_all = true;
  return config;
}

float multiplier_or(const JsonField& object, const char* key, double least, float fallback) {
  const auto field = object.find(key);
  return field ? static_cast<float>(field->number(least, kMostMultiplier)) : fallback;
}

/// GraniteConfig: Llama's defaults and four factors, 1 each. Its scores are scaled by attention_multiplier
/// whatever the width of a head.
TextConfig read_granite(const JsonField& object) {
  TextConfig config = read_llama(object);
  config.embedding_multiplier = multiplier_or(object, "embedding_multiplier", 0, 1);
  config.residual_multiplier = multiplier_or(object, "residual_multiplier", 0, 1);
  config.attention_multiplier = multiplier_or(object, "attention_multiplier", 0, 1);
  config.logits_scaling = multiplier_or(object, "logits_scaling", kLeastDivisor, 1);
  return config;
}

/// MistralConfig: no layer has a bias, whatever the file says; null means no window, an absent key 4096.
TextConfig read_mistral(const JsonField& object) {
  constexpr int64_t kDefaultWindow = 4096;
  TextConfig defaults = llama_defaults();
  defaults.model_type = "mistral";
  defaults.intermediate_size = 14336;
  defaults.num_key_value_heads = 8;
  defaults.max_position_embeddings = 131072;
  // null, other than an absent key, means as many as num_attention_heads.
  const auto heads = object.value().find("num_key_value_heads");
  if (heads != object.value().end() && heads->is_null()) defaults.num_key_value_heads = 0;
  TextConfig config = read_text_config(object, defaults);
  config.attention_bias = false;
  config.mlp_bias = false;
  if (const auto window = object.find("sliding_window"))
    config.sliding_window = read_window(*window);
  else if (!object.value().contains("sliding_window"))
    config.sliding_window = kDefaultWindow;
  check_layer_types(object, config.sliding_window ? "sliding_attention" : "full_attention");
  return config;
}

struct TextClass {
  const char* model_type;
  TextConfig (*read)(const JsonField& object);
};

constexpr std::array<TextClass, 3> kClasses = {
    {{"llama", read_llama}, {"mistral", read_mistral}, {"granite", read_granite}}};

}  // namespace

TextConfig read_backbone_config(const JsonField& object) {
  object.expect_object();
  const std::string model_type = string_or(object, "model_type", "llama");
  std::string known;
  for (const TextClass& one : kClasses) {
    if (model_type == one.model_type) return one.read(object);
    known += (known.empty() ? "" : ", ") + std::string(one.model_type);
  }
  object.at("model_type").unsupported("one of " + known);
}

ModelConfig parse_text_model_config(std::string_view json, const std::string& where) {
  const Json document = parse_json(json, where);
  const JsonField root(document, where);
  ModelConfig config;
  read_common(root, config);
  config.text = read_backbone_config(root);
  config.tie_word_embeddings = boolean_or(root, "tie_word_embeddings", false);
  return config;
}

}  // namespace galago
