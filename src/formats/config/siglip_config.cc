// config.json and preprocessor_config.json of model_type siglip and siglip2. The defaults are those of
// transformers 5.18 SiglipTextConfig, SiglipVisionConfig and SiglipImageProcessorPil; Siglip2's differ where
// a function says so.
#include "formats/config/siglip_config.h"

#include <cmath>

#include "core/limits.h"
#include "formats/config/config_fields.h"
#include "formats/json.h"
#include "galago/error.h"

namespace galago {
namespace {

SiglipTextConfig read_siglip_text_config(const JsonField& object) {
  constexpr IntegerRange kWidths{1, limits::kConfigWidth};
  object.expect_object();
  SiglipTextConfig config;
  config.vocab_size = integer_or(object, "vocab_size", {1, limits::kConfigVocabulary}, 32000);
  config.hidden_size = integer_or(object, "hidden_size", kWidths, 768);
  config.intermediate_size = integer_or(object, "intermediate_size", kWidths, 3072);
  config.num_hidden_layers = integer_or(object, "num_hidden_layers", {1, limits::kConfigLayers}, 12);
  config.num_attention_heads = integer_or(object, "num_attention_heads", kWidths, 12);
  config.max_position_embeddings =
      integer_or(object, "max_position_embeddings", {1, limits::kConfigPositions}, 64);
  config.projection_size = integer_or(object, "projection_size", kWidths, config.hidden_size);
  config.layer_norm_eps = read_epsilon(object, "layer_norm_eps", 1e-6F);
  config.hidden_act = read_activation(object, "gelu_pytorch_tanh");
  check_divides(object, "hidden_size", config.hidden_size, "num_attention_heads", config.num_attention_heads);
  return config;
}

/// An embedding of a picture can only be compared with one of a text when both have the same width.
void check_one_width(const SiglipConfig& config, const std::string& where) {
  if (config.text.projection_size == config.vision.hidden_size) return;
  throw Error(ErrorCode::model_unsupported,
              {.where = where + ": text_config.projection_size",
               .got = std::to_string(config.text.projection_size),
               .expected = std::to_string(config.vision.hidden_size) + ", the width of an image embedding"});
}

/// The tower of a siglip2: its table of positions is a square of num_patches.
VisionConfig read_naflex_tower(const JsonField& object) {
  VisionConfig defaults = siglip_vision_defaults();
  defaults.model_type = "siglip2_vision_model";
  VisionConfig config = read_vision_encoder(object, defaults);
  const int64_t positions = integer_or(object, "num_patches", {1, limits::kConfigPositions}, 256);
  const int64_t side = std::llround(std::sqrt(static_cast<double>(positions)));
  if (side * side != positions) object.at("num_patches").fail("a square number");
  config.image_size = side * config.patch_size;
  return config;
}

/// Both halves; `read_tower` makes a VisionConfig of vision_config.
template <class ReadTower>
SiglipConfig parse_halves(std::string_view json, const std::string& where, const ReadTower& read_tower) {
  const Json document = parse_json(json, where);
  const JsonField root(document, where);
  ModelConfig common;
  read_common(root, common);
  SiglipConfig config{.model_type = common.model_type, .dtype = common.dtype, .vision = {}, .text = {}};
  const Json absent = Json::object();
  const auto vision = root.find("vision_config");
  config.vision = read_tower(vision ? *vision : JsonField(absent, where + ": vision_config"));
  if (vision && !boolean_or(*vision, "vision_use_head", true))
    vision->at("vision_use_head").unsupported("true");
  const auto text = root.find("text_config");
  config.text = read_siglip_text_config(text ? *text : JsonField(absent, where + ": text_config"));
  check_one_width(config, where);
  return config;
}

/// Whether the tokenizer tells the text tower what is padding. Every tokenizer class of the reference does
/// where the file does not say.
bool read_attention_mask(const ModelFiles& files) {
  const auto text = files.find("tokenizer_config.json", limits::kConfigBytes);
  if (!text) return true;
  const Json document = parse_json(*text, files.where("tokenizer_config.json"));
  const auto names = JsonField(document, files.where("tokenizer_config.json")).find("model_input_names");
  if (!names) return true;
  bool listed = false;
  for (size_t i = 0; i < names->size(); ++i) listed = names->at(i).string() == "attention_mask" || listed;
  return listed;
}

}  // namespace

SiglipConfig parse_siglip_config(std::string_view json, const std::string& where) {
  return parse_halves(json, where, [](const JsonField& object) {
    return read_vision_config(object, siglip_vision_defaults());
  });
}

SiglipConfig parse_siglip2_config(std::string_view json, const std::string& where) {
  return parse_halves(json, where, read_naflex_tower);
}

FixedSizeConfig parse_fixed_size_config(std::string_view json, const std::string& where) {
  const Json document = parse_json(json, where);
  const JsonField root(document, where);
  // transformers 5 writes it into processor_config.json under this name.
  const JsonField object = root.find("image_processor").value_or(root);
  object.expect_object();
  FixedSizeConfig config;
  read_pixel_scaling(object, config);
  config.do_resize = switch_or(object, "do_resize", true);
  if (config.do_resize) refuse_null(object, {"size", "resample"});
  for (const char* key : {"do_center_crop", "do_pad"})
    if (boolean_or(object, key, false) && (key != std::string_view("do_pad") || object.has("pad_size")))
      object.at(key).unsupported("false: pictures fill the tower's size");
  config.resample = read_resample(object, Resample::bicubic);
  config.height = config.width = 224;
  const auto size = object.find("size");
  if (!size) return config;
  // One number is the shortest edge in the reference, and pictures keep their shape.
  if (size->value().is_number() && !boolean_or(object, "default_to_square", false))
    size->unsupported("height and width");
  if (size->value().is_number()) {
    config.height = config.width = size->integer(1, limits::kImageSide);
    return config;
  }
  size->expect_object();
  if (size->has("shortest_edge") || size->has("longest_edge")) size->unsupported("height and width");
  config.height = size->at("height").integer(1, limits::kImageSide);
  config.width = size->at("width").integer(1, limits::kImageSide);
  return config;
}

NaflexConfig parse_naflex_config(std::string_view json, const std::string& where) {
  const Json document = parse_json(json, where);
  const JsonField root(document, where);
  const JsonField object = root.find("image_processor").value_or(root);
  object.expect_object();
  NaflexConfig config;
  read_pixel_scaling(object, config);
  config.do_resize = switch_or(object, "do_resize", true);
  refuse_null(object, {"patch_size", "max_num_patches"});
  config.resample = read_resample(object, Resample::bilinear);  // null too, unlike in the other processors
  config.patch_size = integer_or(object, "patch_size", {1, limits::kImageSide}, 16);
  config.max_num_patches = integer_or(object, "max_num_patches", {1, limits::kImagePatches}, 256);
  const int64_t patch_pixels = config.patch_size * config.patch_size;
  if (config.max_num_patches > limits::kTilePixels / patch_pixels)
    throw Error(ErrorCode::model_invalid,
                {.where = object.where() + ": max_num_patches, patch_size",
                 .got = std::to_string(config.max_num_patches) + " patches of " +
                        std::to_string(patch_pixels) + " pixels",
                 .expected = "at most " + std::to_string(limits::kTilePixels) + " pixels in all"});
  return config;
}

SiglipSettings read_siglip_settings(const ModelFiles& files) {
  SiglipSettings settings;
  settings.model =
      parse_siglip_config(files.read("config.json", limits::kConfigBytes), files.where("config.json"));
  const ImageProcessorText preprocessor = read_image_processor(files);
  settings.preprocessor = parse_fixed_size_config(preprocessor.json, preprocessor.where);
  const int64_t side = settings.model.vision.image_size;
  if (settings.preprocessor.height != side || settings.preprocessor.width != side)
    throw Error(ErrorCode::model_invalid, {.where = preprocessor.where + ": size",
                                           .got = std::to_string(settings.preprocessor.height) + " x " +
                                                  std::to_string(settings.preprocessor.width),
                                           .expected = std::to_string(side) + " x " + std::to_string(side) +
                                                       ", the tower's image_size"});
  settings.attention_mask = read_attention_mask(files);
  return settings;
}

NaflexSettings read_naflex_settings(const ModelFiles& files) {
  NaflexSettings settings;
  settings.model =
      parse_siglip2_config(files.read("config.json", limits::kConfigBytes), files.where("config.json"));
  const ImageProcessorText preprocessor = read_image_processor(files);
  settings.preprocessor = parse_naflex_config(preprocessor.json, preprocessor.where);
  const int64_t patch = settings.model.vision.patch_size;
  if (settings.preprocessor.patch_size != patch)
    throw Error(ErrorCode::model_invalid, {.where = preprocessor.where + ": patch_size",
                                           .got = std::to_string(settings.preprocessor.patch_size),
                                           .expected = std::to_string(patch) + ", the tower's patch_size"});
  settings.attention_mask = read_attention_mask(files);
  return settings;
}

}  // namespace galago
