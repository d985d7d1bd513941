// config.json, the image processor's settings and processor_config.json of model_type llava_next. The
// defaults are those of the transformers 5.18 classes named at each function.
#include "formats/config/llava_config.h"

#include <array>

#include "core/limits.h"
#include "formats/config/config_fields.h"
#include "formats/json.h"
#include "galago/error.h"

namespace galago {
namespace {

constexpr IntegerRange kSides{1, limits::kImageSide};

/// LlavaNextConfig without a vision_config: CLIP ViT-L/14 at 336 pixels.
VisionConfig absent_vision_config() {
  VisionConfig config = clip_vision_defaults();
  config.hidden_size = 1024;
  config.intermediate_size = 4096;
  config.num_hidden_layers = 24;
  config.num_attention_heads = 16;
  config.image_size = 336;
  config.patch_size = 14;
  return config;
}

/// [[height, width], ...]; the same list in both of its files when it is absent.
std::vector<Resolution> read_pinpoints(const JsonField& object) {
  const auto field = object.find("image_grid_pinpoints");
  if (!field) return {{336, 672}, {672, 336}, {672, 672}, {1008, 336}, {336, 1008}};
  if (field->size() < 1 || field->size() > limits::kGridPinpoints)
    field->fail("a list of 1 to " + std::to_string(limits::kGridPinpoints) + " sizes");
  std::vector<Resolution> pinpoints;
  for (size_t i = 0; i < field->size(); ++i) {
    const JsonField size = field->at(i);
    if (size.size() != 2) size.fail("[height, width]");
    pinpoints.push_back({.height = size.at(size_t{0}).integer(kSides.least, kSides.most),
                         .width = size.at(size_t{1}).integer(kSides.least, kSides.most)});
  }
  return pinpoints;
}

/// One index or a list of them; a negative one counts from the last hidden state, of which there is one more
/// than layers.
std::vector<int64_t> read_feature_layers(const JsonField& root, const VisionConfig& vision) {
  const int64_t states = vision.num_hidden_layers + 1;
  const auto field = root.find("vision_feature_layer");
  const auto index = [&](const JsonField& number) {
    const int64_t i = number.integer(-states, states - 1);
    return i < 0 ? i + states : i;
  };
  if (field && !field->value().is_array()) return {index(*field)};
  if (!field) return {states - 2};
  if (field->size() < 1 || static_cast<int64_t>(field->size()) * vision.hidden_size > limits::kConfigWidth)
    field->fail("1 to " + std::to_string(limits::kConfigWidth / vision.hidden_size) + " layers");
  std::vector<int64_t> layers;
  for (size_t i = 0; i < field->size(); ++i) layers.push_back(index(field->at(i)));
  return layers;
}

std::string read_strategy(const JsonField& field) {
  if (field.string() != "default" && field.string() != "full") field.fail("\"default\" or \"full\"");
  return field.string();
}

/// ACT2FN's names that the kernels have.
std::string read_projector_act(const JsonField& root) {
  constexpr std::array<const char*, 6> kNames{"gelu", "gelu_pytorch_tanh", "quick_gelu", "silu", "swish",
                                              "relu"};
  const auto field = root.find("projector_hidden_act");
  if (!field) return "gelu";
  for (const char* name : kNames)
    if (field->string() == name) return name;
  field->unsupported("gelu, gelu_pytorch_tanh, quick_gelu, silu, swish or relu");
}

/// A size: one number (a square) or {"height", "width"}. Without these, {"shortest_edge"} says the same of
/// squares, where `shortest_edge` allows it.
Resolution read_size(const JsonField& object, const char* key, bool shortest_edge) {
  const auto field = object.find(key);
  if (!field) return {224, 224};
  const auto side = [](const JsonField& number) { return number.integer(kSides.least, kSides.most); };
  const auto square = [&](const JsonField& number) { return Resolution{side(number), side(number)}; };
  if (!field->value().is_object()) return square(*field);
  const bool edge = field->has("shortest_edge") || field->has("longest_edge");
  if (field->has("height") && field->has("width") && !edge)
    return {.height = side(field->at("height")), .width = side(field->at("width"))};
  if (!shortest_edge || !field->has("shortest_edge") || field->value().size() != 1)
    field->unsupported(shortest_edge ? "shortest_edge alone, or height and width" : "height and width");
  return square(field->at("shortest_edge"));
}

/// The text of the image token where tokenizer_config.json names one: it goes before the processor's.
std::optional<std::string> tokenizer_image_token(const ModelFiles& files) {
  const std::string where = files.where("tokenizer_config.json");
  const auto text = files.find("tokenizer_config.json", limits::kConfigBytes);
  if (!text) return std::nullopt;
  const Json document = parse_json(*text, where);
  const JsonField root(document, where);
  for (const auto& place : {std::optional(root), root.find("extra_special_tokens")})
    if (place && place->value().is_object())
      if (const auto named = place->find("image_token"); named && named->value().is_string())
        return named->string();
  return std::nullopt;
}

}  // namespace

/// LlavaNextConfig.
LlavaNextConfig parse_llava_next_config(std::string_view json, const std::string& where) {
  const Json document = parse_json(json, where);
  const JsonField root(document, where);
  LlavaNextConfig config;
  read_common(root, config);

  const auto vision = root.find("vision_config");
  config.vision = vision ? read_tower_config(*vision, "clip_vision_model") : absent_vision_config();
  const Json absent = Json::object();
  const auto text = root.find("text_config");
  config.text = read_backbone_config(text ? *text : JsonField(absent, where + ": text_config"));

  // LlavaNextForConditionalGeneration has a head of its own, which divides nothing.
  config.text.logits_scaling = 1;

  const auto image = first_of(root, {"image_token_index", "image_token_id"});
  constexpr int64_t kDefaultImageToken = 32000;
  config.image_token_id = image ? image->integer(0, config.text.vocab_size - 1) : kDefaultImageToken;
  config.vision_feature_layer = read_feature_layers(root, config.vision);
  const auto strategy = root.find("vision_feature_select_strategy");
  config.vision_feature_select_strategy = strategy ? read_strategy(*strategy) : "default";
  config.projector_hidden_act = read_projector_act(root);
  config.multimodal_projector_bias = boolean_or(root, "multimodal_projector_bias", true);
  config.image_grid_pinpoints = read_pinpoints(root);
  config.tie_word_embeddings = boolean_or(root, "tie_word_embeddings", false);
  return config;
}

/// LlavaNextImageProcessorPil.
AnyResolutionConfig parse_any_resolution_config(std::string_view json, const std::string& where) {
  const Json document = parse_json(json, where);
  const JsonField root(document, where);
  // transformers 5 writes it into processor_config.json under this name.
  const JsonField object = root.find("image_processor").value_or(root);
  object.expect_object();
  AnyResolutionConfig config;
  config.image_mean = {0.48145466, 0.4578275, 0.40821073};  // CLIP's
  config.image_std = {0.26862954, 0.26130258, 0.27577711};
  read_pixel_scaling(object, config);
  config.do_resize = switch_or(object, "do_resize", true);
  config.do_center_crop = switch_or(object, "do_center_crop", true);
  // The picture is fitted into its canvas whatever do_resize says.
  refuse_null(object, {"size", "resample", "image_grid_pinpoints"});
  if (config.do_center_crop) refuse_null(object, {"crop_size"});
  config.size = read_size(object, "size", true);
  config.crop_size = read_size(object, "crop_size", false);
  config.resample = read_resample(object, Resample::bicubic);
  config.image_grid_pinpoints = read_pinpoints(object);
  config.tile_side = is_null(object, "crop_size") ? config.size.height : config.crop_size.height;
  return config;
}

/// LlavaNextProcessor.
LlavaNextProcessorConfig parse_llava_next_processor_config(std::string_view json, const std::string& where) {
  const Json document = parse_json(json, where);
  const JsonField root(document, where);
  root.expect_object();
  LlavaNextProcessorConfig config;
  if (const auto patch = root.find("patch_size")) config.patch_size = patch->integer(1, limits::kImageSide);
  if (const auto strategy = root.find("vision_feature_select_strategy"))
    config.vision_feature_select_strategy = read_strategy(*strategy);
  if (const auto extra = root.find("num_additional_image_tokens"))
    config.num_additional_image_tokens = extra->integer(0, limits::kConfigPositions);
  config.image_token = string_or(root, "image_token", "<image>");
  return config;
}

LlavaNextSettings read_llava_next_settings(const ModelFiles& files) {
  LlavaNextSettings settings;
  settings.model =
      parse_llava_next_config(files.read("config.json", limits::kConfigBytes), files.where("config.json"));
  if (const auto processor = files.find("processor_config.json", limits::kConfigBytes))
    settings.processor = parse_llava_next_processor_config(*processor, files.where("processor_config.json"));
  if (auto token = tokenizer_image_token(files)) settings.processor.image_token = std::move(*token);
  const ImageProcessorText preprocessor = read_image_processor(files);
  settings.preprocessor = parse_any_resolution_config(preprocessor.json, preprocessor.where);
  return settings;
}

}  // namespace galago
