// preprocessor_config.json and processor_config.json.
// Defaults are those of transformers 5.18 Idefics3ImageProcessorPil and SmolVLMImageProcessorPil.
#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <string_view>
#include <utility>

#include "core/limits.h"
#include "formats/config/config.h"
#include "formats/config/config_fields.h"
#include "formats/json.h"
#include "galago/error.h"

namespace galago {
namespace {

/// One number for each colour, or one for all.
std::array<double, 3> read_colours(const JsonField& object, const std::string& key,
                                   const std::array<double, 3>& fallback) {
  constexpr double kMost = 1e6;
  const auto field = object.find(key);
  if (!field) return fallback;
  std::array<double, 3> values{};
  if (!field->value().is_array()) {
    values.fill(field->number(-kMost, kMost));
    return values;
  }
  if (field->size() != values.size()) field->fail("a list of 3 numbers");
  for (size_t i = 0; i < values.size(); ++i) values[i] = field->at(i).number(-kMost, kMost);
  return values;
}

bool holds_image_processor(const std::string& json, const std::string& where) {
  const Json document = parse_json(json, where);
  return JsonField(document, where).has("image_processor");
}

}  // namespace

bool is_null(const JsonField& object, const std::string& key) {
  const auto found = object.value().find(key);
  return found != object.value().end() && found->is_null();
}

bool switch_or(const JsonField& object, const std::string& key, bool fallback) {
  return is_null(object, key) ? false : boolean_or(object, key, fallback);
}

void refuse_null(const JsonField& object, std::initializer_list<const char*> keys) {
  for (const char* key : keys)
    if (is_null(object, key))
      throw Error(
          ErrorCode::model_invalid,
          {.where = object.where() + ": " + key, .got = "null", .expected = "a value, or no such key"});
}

EdgeOrSize read_edge_or_size(const JsonField& object, const std::string& key, int64_t longest_edge) {
  const auto size = object.find(key);
  if (!size) return {.longest_edge = longest_edge};
  const auto side = [](const JsonField& number) { return number.integer(1, limits::kImageSide); };
  if (size->value().is_number()) return {.height = side(*size), .width = side(*size)};
  const bool edge = !size->value().is_object() || size->has("longest_edge") || !size->has("height");
  if (edge) return {.longest_edge = read_longest_edge(object, key, longest_edge)};
  return {.height = side(size->at("height")), .width = side(size->at("width"))};
}

int64_t read_longest_edge(const JsonField& object, const std::string& key, int64_t fallback) {
  const auto size = object.find(key);
  if (!size) return fallback;
  if (!size->value().is_object()) size->unsupported("an object with longest_edge");
  if (!size->has("longest_edge") && size->has("height") && size->has("width"))
    size->unsupported("an object with longest_edge");
  return size->at("longest_edge").integer(1, limits::kImageSide);
}

Resizer pillow_resizer(int version) {
  if (version == 13) return Resizer::pillow13;
  if (version == 12) return Resizer::pillow12;
  throw Error(ErrorCode::usage, {.where = "pillow", .got = std::to_string(version), .expected = "12 or 13"});
}

Resample read_resample(const JsonField& object, Resample fallback) {
  const auto field = object.find("resample");
  if (!field) return fallback;
  const int64_t number = field->integer(0, 7);  // Pillow 13's filters
  if (number > 5)
    field->unsupported("0 (nearest), 1 (lanczos), 2 (bilinear), 3 (bicubic), 4 (box) or 5 (hamming)");
  return static_cast<Resample>(number);
}

void read_pixel_scaling(const JsonField& object, PixelScaling& scaling) {
  scaling.do_rescale = switch_or(object, "do_rescale", scaling.do_rescale);
  if (scaling.do_rescale) refuse_null(object, {"rescale_factor"});
  if (const auto factor = object.find("rescale_factor")) scaling.rescale_factor = factor->number(-1e6, 1e6);
  scaling.do_normalize = switch_or(object, "do_normalize", scaling.do_normalize);
  if (scaling.do_normalize) refuse_null(object, {"image_mean", "image_std"});
  scaling.image_mean = read_colours(object, "image_mean", scaling.image_mean);
  scaling.image_std = read_colours(object, "image_std", scaling.image_std);
  for (const double deviation : scaling.image_std)
    if (deviation == 0) object.at("image_std").fail("numbers that one can divide by");
}

PreprocessorConfig parse_preprocessor_config(std::string_view json, const std::string& where) {
  const Json document = parse_json(json, where);
  const JsonField root(document, where);
  // transformers 5 writes it into processor_config.json under this name.
  const JsonField object = root.find("image_processor").value_or(root);
  object.expect_object();
  PreprocessorConfig config;
  config.do_convert_rgb = switch_or(object, "do_convert_rgb", true);
  config.do_resize = switch_or(object, "do_resize", true);
  // Splitting, and one tile instead of it, resize too.
  refuse_null(object, {"resample", "max_image_size"});
  if (config.do_resize) refuse_null(object, {"size"});
  const EdgeOrSize size = read_edge_or_size(object, "size", 4 * 364);
  config.size_longest_edge = size.longest_edge;
  config.size_height = size.height;
  config.size_width = size.width;
  config.resample = read_resample(object, Resample::lanczos);
  config.do_image_splitting = switch_or(object, "do_image_splitting", true);
  config.max_image_size_longest_edge = read_longest_edge(object, "max_image_size", 364);
  read_pixel_scaling(object, config);
  config.do_pad = switch_or(object, "do_pad", true);
  return config;
}

ProcessorConfig parse_processor_config(std::string_view json, const std::string& where) {
  const Json document = parse_json(json, where);
  const auto length = JsonField(document, where).find("image_seq_len");
  ProcessorConfig config;
  if (length) config.image_seq_len = length->integer(1, limits::kConfigPositions);
  return config;
}

std::string read_model_type(const ModelFiles& files) {
  const std::string where = files.where("config.json");
  const Json document = parse_json(files.read("config.json", limits::kConfigBytes), where);
  return JsonField(document, where).at("model_type").string();
}

ImageProcessorText read_image_processor(const ModelFiles& files) {
  for (const char* name : {"processor_config.json", "preprocessor_config.json"}) {
    auto text = files.find(name, limits::kConfigBytes);
    const bool own = text && name == std::string_view("preprocessor_config.json");
    if (text && (own || holds_image_processor(*text, files.where(name))))
      return {.json = std::move(*text), .where = files.where(name)};
  }
  throw Error(ErrorCode::not_found,
              {.where = files.path().string(),
               .got = "no preprocessor_config.json",
               .expected = "that file, or image_processor in processor_config.json",
               .hint = "config.json does not say how pictures are scaled, and transformers "
                       "needs the file too: it lies in the model's repository"});
}

}  // namespace galago
