// config.json. The defaults are those of the transformers 5.18 classes named at each function: a checkpoint
// that omits a key was saved by, or for, a class that fills it in.
#include <array>
#include <string_view>

#include "core/limits.h"
#include "core/printable.h"
#include "galago/error.h"
#include "io/config.h"
#include "io/config_fields.h"
#include "io/json.h"

namespace galago {
namespace {

constexpr IntegerRange kWidths{1, limits::kConfigWidth};
constexpr IntegerRange kLayers{1, limits::kConfigLayers};
constexpr IntegerRange kVocabulary{1, limits::kConfigVocabulary};
constexpr IntegerRange kPositions{1, limits::kConfigPositions};
constexpr double kMostTheta = 1e15;

/// The activations that the kernels have, by their transformers names.
std::string activation(const JsonField& object, const std::string& fallback) {
  constexpr std::array<std::string_view, 6> kNames{
      "gelu_pytorch_tanh", "gelu", "quick_gelu", "silu", "swish", "relu"};
  const auto field = object.find("hidden_act");
  if (!field) return fallback;
  for (const std::string_view name : kNames)
    if (field->string() == name) return field->string();
  field->unsupported("gelu_pytorch_tanh, gelu, quick_gelu, silu, swish or relu");
}

float epsilon(const JsonField& object, const std::string& key, double fallback) {
  const auto field = object.find(key);
  return static_cast<float>(field ? field->number(0, 1) : fallback);
}

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

void check_divides(const JsonField& object, const std::string& key, int64_t value, const std::string& of,
                   int64_t divisor) {
  if (value % divisor == 0) return;
  throw Error(ErrorCode::model_invalid, {.where = object.where() + "." + key,
                                         .got = std::to_string(value),
                                         .expected = "a multiple of " + of + " " + std::to_string(divisor)});
}

/// Idefics3VisionConfig, SmolVLMVisionConfig.
VisionConfig read_vision(const JsonField& object) {
  object.expect_object();
  VisionConfig config;
  config.hidden_size = integer_or(object, "hidden_size", kWidths, 1152);
  config.intermediate_size = integer_or(object, "intermediate_size", kWidths, 3072);
  config.num_hidden_layers = integer_or(object, "num_hidden_layers", kLayers, 12);
  config.num_attention_heads = integer_or(object, "num_attention_heads", kWidths, 16);
  config.num_channels = integer_or(object, "num_channels", {1, 16}, 3);
  config.image_size = square_side(object, "image_size", 224);
  config.patch_size = square_side(object, "patch_size", 32);
  config.layer_norm_eps = epsilon(object, "layer_norm_eps", 1e-6);
  config.hidden_act = activation(object, "gelu_pytorch_tanh");
  check_divides(object, "hidden_size", config.hidden_size, "num_attention_heads", config.num_attention_heads);
  if (config.patch_size > config.image_size)
    throw Error(ErrorCode::model_invalid,
                {.where = object.where() + ".patch_size",
                 .got = std::to_string(config.patch_size),
                 .expected = "at most image_size " + std::to_string(config.image_size)});
  return config;
}

/// rope_type "llama3": the frequencies of long waves are divided by `factor`, those between are blended.
void read_llama3(const JsonField& object, RopeConfig& rope, int64_t max_positions) {
  rope.factor = static_cast<float>(object.at("factor").number(1, 1e6));
  rope.low_freq_factor = static_cast<float>(object.at("low_freq_factor").number(1e-6, 1e6));
  const JsonField high = object.at("high_freq_factor");
  rope.high_freq_factor = static_cast<float>(high.number(1e-6, 1e6));
  if (rope.high_freq_factor <= rope.low_freq_factor) high.fail("more than low_freq_factor");
  rope.original_max_position_embeddings =
      integer_or(object, "original_max_position_embeddings", kPositions, max_positions);
}

/// RotaryEmbeddingConfigMixin: rope_scaling, where it holds something, goes before rope_parameters, and the
/// theta inside either before the one beside it.
RopeConfig read_rope(const JsonField& text, int64_t max_positions) {
  RopeConfig rope;
  const auto theta = [&](const JsonField& object) {
    if (const auto field = object.find("rope_theta"))
      rope.rope_theta = static_cast<float>(field->number(1, kMostTheta));
  };
  theta(text);
  const auto whole_head = [](const JsonField& object) {
    if (const auto part = object.find("partial_rotary_factor"); part && part->number(0, 1) != 1)
      part->unsupported("1, all of a head rotated");
  };
  whole_head(text);
  const auto scaling = text.find("rope_scaling");
  const bool scaled = scaling && !scaling->value().empty();
  const auto object = scaled ? scaling : text.find("rope_parameters");
  if (!object) return rope;
  theta(*object);
  whole_head(*object);
  const auto type = object->has("rope_type") ? object->find("rope_type") : object->find("type");
  if (!type) return rope;
  rope.rope_type = type->string();
  if (rope.rope_type == "linear")
    rope.factor = static_cast<float>(object->at("factor").number(1, 1e6));
  else if (rope.rope_type == "llama3")
    read_llama3(*object, rope, max_positions);
  else if (rope.rope_type != "default")
    type->unsupported("default, linear or llama3");
  return rope;
}

/// LlamaConfig. `eps` is its rms_norm_eps default, which Idefics3Config changes when text_config is absent.
TextConfig read_text(const JsonField& object, double eps) {
  object.expect_object();
  TextConfig config;
  config.model_type = string_or(object, "model_type", "llama");
  config.vocab_size = integer_or(object, "vocab_size", kVocabulary, 32000);
  config.hidden_size = integer_or(object, "hidden_size", kWidths, 4096);
  config.intermediate_size = integer_or(object, "intermediate_size", kWidths, 11008);
  config.num_hidden_layers = integer_or(object, "num_hidden_layers", kLayers, 32);
  config.num_attention_heads = integer_or(object, "num_attention_heads", kWidths, 32);
  check_divides(object, "hidden_size", config.hidden_size, "num_attention_heads", config.num_attention_heads);
  config.num_key_value_heads = integer_or(object, "num_key_value_heads", kWidths, config.num_attention_heads);
  check_divides(object, "num_attention_heads", config.num_attention_heads, "num_key_value_heads",
                config.num_key_value_heads);
  config.head_dim = integer_or(object, "head_dim", kWidths, config.hidden_size / config.num_attention_heads);
  // The rotary embedding turns pairs.
  check_divides(object, "head_dim", config.head_dim, "the rotary pair size", 2);
  config.max_position_embeddings = integer_or(object, "max_position_embeddings", kPositions, 2048);
  config.rms_norm_eps = epsilon(object, "rms_norm_eps", eps);
  config.hidden_act = activation(object, "silu");
  config.rope = read_rope(object, config.max_position_embeddings);
  config.attention_bias = boolean_or(object, "attention_bias", false);
  config.mlp_bias = boolean_or(object, "mlp_bias", false);
  return config;
}

/// The first of several spellings that is there.
std::optional<JsonField> first_of(const JsonField& object, std::initializer_list<const char*> keys) {
  for (const char* key : keys)
    if (auto field = object.find(key)) return field;
  return std::nullopt;
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

/// Idefics3Config, SmolVLMConfig.
ModelConfig parse_model_config(std::string_view json, const std::string& where) {
  const Json document = parse_json(json, where);
  const JsonField root(document, where);
  ModelConfig config;
  config.model_type = root.at("model_type").string();
  if (const auto names = root.find("architectures"))
    for (size_t i = 0; i < names->size(); ++i) config.architectures.push_back(names->at(i).string());

  const Json absent = Json::object();
  const auto vision = root.find("vision_config");
  config.vision = read_vision(vision ? *vision : JsonField(absent, where + ": vision_config"));
  const auto text = root.find("text_config");
  config.text = text ? read_text(*text, 1e-6) : read_text(JsonField(absent, where + ": text_config"), 1e-5);

  config.image_token_id = read_image_token(root, config.text.vocab_size);
  config.scale_factor = read_scale_factor(root);
  // The one at the top decides; the same key in text_config is not looked at, as in transformers.
  config.tie_word_embeddings = boolean_or(root, "tie_word_embeddings", false);
  if (const auto dtype = first_of(root, {"dtype", "torch_dtype"})) config.dtype = dtype->string();
  return config;
}

}  // namespace galago
