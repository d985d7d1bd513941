// The parts that the families' config.json files share: a vision encoder, a Llama-like decoder, rotary
// settings, names. What a key that is absent means is the caller's default: the one of its transformers
// class.
#include "formats/config/config_fields.h"

#include <array>
#include <string_view>
#include <utility>

#include "core/limits.h"
#include "core/printable.h"
#include "formats/json.h"
#include "formats/prequantised/prequantised.h"
#include "galago/error.h"

namespace galago {
namespace {

constexpr IntegerRange kWidths{1, limits::kConfigWidth};
constexpr IntegerRange kLayers{1, limits::kConfigLayers};
constexpr IntegerRange kVocabulary{1, limits::kConfigVocabulary};
constexpr IntegerRange kPositions{1, limits::kConfigPositions};

/// Pixels of a side: an integer, or a list of two equal ones.
int64_t square_side(const JsonField& object, const std::string& key, int64_t fallback) {
  constexpr IntegerRange kSides{1, limits::kImageSide};
  const auto field = object.find(key);
  if (!field) return fallback;
  if (!field->value().is_array()) return field->integer(kSides.least, kSides.most);
  if (field->size() != 2) field->fail("an integer or a list of two");
  const int64_t height = field->at(0).integer(kSides.least, kSides.most);
  if (field->at(1).integer(kSides.least, kSides.most) != height) field->unsupported("a square");
  return height;
}

}  // namespace

std::string read_activation(const JsonField& object, const std::string& fallback) {
  constexpr std::array<std::string_view, 6> kNames{
      "gelu_pytorch_tanh", "gelu", "quick_gelu", "silu", "swish", "relu"};
  const auto field = object.find("hidden_act");
  if (!field) return fallback;
  for (const std::string_view name : kNames)
    if (field->string() == name) return field->string();
  field->unsupported("gelu_pytorch_tanh, gelu, quick_gelu, silu, swish or relu");
}

float read_epsilon(const JsonField& object, const std::string& key, float fallback) {
  const auto field = object.find(key);
  return field ? static_cast<float>(field->number(0, 1)) : fallback;
}

void check_divides(const JsonField& object, const std::string& key, int64_t value, const std::string& of,
                   int64_t divisor) {
  if (value % divisor == 0) return;
  throw Error(ErrorCode::model_invalid, {.where = object.where() + "." + key,
                                         .got = std::to_string(value),
                                         .expected = "a multiple of " + of + " " + std::to_string(divisor)});
}

VisionConfig read_vision_encoder(const JsonField& object, const VisionConfig& defaults) {
  object.expect_object();
  VisionConfig config = defaults;
  config.model_type = string_or(object, "model_type", defaults.model_type);
  config.hidden_size = integer_or(object, "hidden_size", kWidths, defaults.hidden_size);
  config.intermediate_size = integer_or(object, "intermediate_size", kWidths, defaults.intermediate_size);
  config.num_hidden_layers = integer_or(object, "num_hidden_layers", kLayers, defaults.num_hidden_layers);
  config.num_attention_heads =
      integer_or(object, "num_attention_heads", kWidths, defaults.num_attention_heads);
  config.num_channels = integer_or(object, "num_channels", {1, 16}, defaults.num_channels);
  config.patch_size = square_side(object, "patch_size", defaults.patch_size);
  config.layer_norm_eps = read_epsilon(object, "layer_norm_eps", defaults.layer_norm_eps);
  config.hidden_act = read_activation(object, defaults.hidden_act);
  check_divides(object, "hidden_size", config.hidden_size, "num_attention_heads", config.num_attention_heads);
  return config;
}

VisionConfig read_vision_config(const JsonField& object, const VisionConfig& defaults) {
  VisionConfig config = read_vision_encoder(object, defaults);
  config.image_size = square_side(object, "image_size", defaults.image_size);
  if (config.patch_size > config.image_size)
    throw Error(ErrorCode::model_invalid,
                {.where = object.where() + ".patch_size",
                 .got = std::to_string(config.patch_size),
                 .expected = "at most image_size " + std::to_string(config.image_size)});
  return config;
}

TextConfig llama_defaults() {
  TextConfig config;
  config.model_type = "llama";
  config.vocab_size = 32000;
  config.hidden_size = 4096;
  config.intermediate_size = 11008;
  config.num_hidden_layers = 32;
  config.num_attention_heads = 32;
  config.max_position_embeddings = 2048;
  config.rms_norm_eps = 1e-6F;
  config.hidden_act = "silu";
  return config;
}

TextConfig read_text_config(const JsonField& object, const TextConfig& defaults) {
  object.expect_object();
  TextConfig config = defaults;
  config.model_type = string_or(object, "model_type", defaults.model_type);
  config.vocab_size = integer_or(object, "vocab_size", kVocabulary, defaults.vocab_size);
  config.hidden_size = integer_or(object, "hidden_size", kWidths, defaults.hidden_size);
  config.intermediate_size = integer_or(object, "intermediate_size", kWidths, defaults.intermediate_size);
  config.num_hidden_layers = integer_or(object, "num_hidden_layers", kLayers, defaults.num_hidden_layers);
  config.num_attention_heads =
      integer_or(object, "num_attention_heads", kWidths, defaults.num_attention_heads);
  check_divides(object, "hidden_size", config.hidden_size, "num_attention_heads", config.num_attention_heads);
  const int64_t kv_heads =
      defaults.num_key_value_heads ? defaults.num_key_value_heads : config.num_attention_heads;
  config.num_key_value_heads = integer_or(object, "num_key_value_heads", kWidths, kv_heads);
  check_divides(object, "num_attention_heads", config.num_attention_heads, "num_key_value_heads",
                config.num_key_value_heads);
  const int64_t head_dim =
      defaults.head_dim ? defaults.head_dim : config.hidden_size / config.num_attention_heads;
  config.head_dim = integer_or(object, "head_dim", kWidths, head_dim);
  // The rotary embedding turns pairs.
  check_divides(object, "head_dim", config.head_dim, "the rotary pair size", 2);
  config.max_position_embeddings =
      integer_or(object, "max_position_embeddings", kPositions, defaults.max_position_embeddings);
  config.rms_norm_eps = read_epsilon(object, "rms_norm_eps", defaults.rms_norm_eps);
  config.hidden_act = read_activation(object, defaults.hidden_act);
  config.rope = read_rope(object, config.max_position_embeddings);
  if (!config.rope.divisors.empty() && std::cmp_not_equal(config.rope.divisors.size(), config.head_dim / 2))
    throw Error(ErrorCode::model_invalid,
                {.where = object.where() + ": short_factor",
                 .got = std::to_string(config.rope.divisors.size()) + " numbers",
                 .expected = std::to_string(config.head_dim / 2) + ", one for each pair of a head"});
  config.attention_bias = boolean_or(object, "attention_bias", defaults.attention_bias);
  config.mlp_bias = boolean_or(object, "mlp_bias", defaults.mlp_bias);
  return config;
}

std::optional<JsonField> first_of(const JsonField& object, std::initializer_list<const char*> keys) {
  for (const char* key : keys)
    if (auto field = object.find(key)) return field;
  return std::nullopt;
}

void read_common(const JsonField& root, ModelConfig& config) {
  config.model_type = root.at("model_type").string();
  if (const auto names = root.find("architectures"))
    for (size_t i = 0; i < names->size(); ++i) config.architectures.push_back(names->at(i).string());
  if (const auto dtype = first_of(root, {"dtype", "torch_dtype"})) config.dtype = dtype->string();
  check_quantization(root);
}

}  // namespace galago
