// preprocessor_config.json, processor_config.json, generation_config.json, and a directory as a whole.
// Defaults are those of transformers 5.18 Idefics3ImageProcessorPil, SmolVLMImageProcessorPil and
// GenerationConfig.
#include <cmath>
#include <limits>
#include <system_error>

#include "core/limits.h"
#include "galago/error.h"
#include "io/config.h"
#include "io/config_fields.h"
#include "io/files.h"
#include "io/json.h"

namespace galago {
namespace {

namespace fs = std::filesystem;

/// {"longest_edge": n}: the sizes these processors work with.
int64_t longest_edge(const JsonField& object, const std::string& key, int64_t fallback) {
  const auto size = object.find(key);
  if (!size) return fallback;
  if (!size->value().is_object()) size->unsupported("an object with longest_edge");
  if (!size->has("longest_edge") && size->has("height") && size->has("width"))
    size->unsupported("an object with longest_edge");
  return size->at("longest_edge").integer(1, limits::kImageSide);
}

Resample read_resample(const JsonField& object) {
  const auto field = object.find("resample");
  if (!field) return Resample::lanczos;
  const int64_t number = field->integer(0, 5);  // Pillow's filters
  if (number > 3) field->unsupported("0 (nearest), 1 (lanczos), 2 (bilinear) or 3 (bicubic)");
  return static_cast<Resample>(number);
}

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

/// A token id; -1, as some files write "none", is nothing.
std::optional<int32_t> token_id(const JsonField& field) {
  const auto id = static_cast<int32_t>(field.integer(-1, limits::kConfigVocabulary - 1));
  return id < 0 ? std::nullopt : std::optional(id);
}

std::optional<int32_t> token_id(const JsonField& object, const std::string& key) {
  const auto field = object.find(key);
  return field ? token_id(*field) : std::nullopt;
}

/// One id or a list of them.
std::vector<int32_t> token_ids(const JsonField& field) {
  std::vector<int32_t> ids;
  const bool list = field.value().is_array();
  const size_t count = list ? field.size() : 1;
  for (size_t i = 0; i < count; ++i)
    if (const auto id = token_id(list ? field.at(i) : field)) ids.push_back(*id);
  return ids;
}

GenerationConfig read_tokens(const JsonField& object) {
  GenerationConfig config;
  if (const auto eos = object.find("eos_token_id")) config.eos_token_id = token_ids(*eos);
  config.pad_token_id = token_id(object, "pad_token_id");
  config.bos_token_id = token_id(object, "bos_token_id");
  return config;
}

bool holds_image_processor(const std::string& json, const std::string& where) {
  const Json document = parse_json(json, where);
  return JsonField(document, where).has("image_processor");
}

}  // namespace

PreprocessorConfig parse_preprocessor_config(std::string_view json, const std::string& where) {
  const Json document = parse_json(json, where);
  const JsonField root(document, where);
  // transformers 5 writes it into processor_config.json under this name.
  const JsonField object = root.find("image_processor").value_or(root);
  object.expect_object();
  PreprocessorConfig config;
  config.do_convert_rgb = boolean_or(object, "do_convert_rgb", true);
  config.do_resize = boolean_or(object, "do_resize", true);
  config.size_longest_edge = longest_edge(object, "size", 4 * 364);
  config.resample = read_resample(object);
  config.do_image_splitting = boolean_or(object, "do_image_splitting", true);
  config.max_image_size_longest_edge = longest_edge(object, "max_image_size", 364);
  config.do_rescale = boolean_or(object, "do_rescale", true);
  if (const auto factor = object.find("rescale_factor")) config.rescale_factor = factor->number(-1e6, 1e6);
  config.do_normalize = boolean_or(object, "do_normalize", true);
  config.image_mean = read_colours(object, "image_mean", config.image_mean);
  config.image_std = read_colours(object, "image_std", config.image_std);
  for (const double deviation : config.image_std)
    if (deviation == 0) object.at("image_std").fail("numbers that one can divide by");
  config.do_pad = boolean_or(object, "do_pad", true);
  return config;
}

ProcessorConfig parse_processor_config(std::string_view json, const std::string& where) {
  const Json document = parse_json(json, where);
  const auto length = JsonField(document, where).find("image_seq_len");
  ProcessorConfig config;
  if (length) config.image_seq_len = length->integer(1, limits::kConfigPositions);
  return config;
}

GenerationConfig parse_generation_config(std::optional<std::string_view> json, std::string_view model_json,
                                         const std::string& where) {
  // A generation_config.json is the whole truth where it exists: transformers does not look further.
  if (json) {
    const Json document = parse_json(*json, where);
    return read_tokens(JsonField(document, where));
  }
  const Json document = parse_json(model_json, "config.json");
  const JsonField root(document, "config.json");
  GenerationConfig config = read_tokens(root);
  if (const auto text = root.find("text_config")) {
    const GenerationConfig inner = read_tokens(*text);
    if (!root.has("eos_token_id")) config.eos_token_id = inner.eos_token_id;
    if (!root.has("pad_token_id")) config.pad_token_id = inner.pad_token_id;
    if (!root.has("bos_token_id")) config.bos_token_id = inner.bos_token_id;
  }
  return config;
}

ModelDirectory read_model_directory(const fs::path& path) {
  std::error_code error;
  if (!fs::is_directory(path, error))
    throw Error(ErrorCode::not_found,
                {.where = path.string(), .got = "no such directory", .expected = "a model directory"});
  const auto file = [&](const char* name) { return path / name; };
  ModelDirectory directory;
  directory.path = path;
  const std::string model = read_text_file(file("config.json"), limits::kConfigBytes);
  directory.model = parse_model_config(model, file("config.json").string());

  const auto processor = read_if_present(file("processor_config.json"), limits::kConfigBytes);
  const std::string processor_name = file("processor_config.json").string();
  if (processor) directory.processor = parse_processor_config(*processor, processor_name);

  // Inside processor_config.json it goes before the file of its own, as in transformers.
  const auto preprocessor = read_if_present(file("preprocessor_config.json"), limits::kConfigBytes);
  if (processor && holds_image_processor(*processor, processor_name))
    directory.preprocessor = parse_preprocessor_config(*processor, processor_name);
  else if (preprocessor)
    directory.preprocessor =
        parse_preprocessor_config(*preprocessor, file("preprocessor_config.json").string());
  else
    throw Error(ErrorCode::not_found, {.where = path.string(),
                                       .got = "no preprocessor_config.json",
                                       .expected = "that file, or image_processor in processor_config.json"});

  const auto generation = read_if_present(file("generation_config.json"), limits::kConfigBytes);
  directory.generation = parse_generation_config(generation, model, file("generation_config.json").string());
  return directory;
}

}  // namespace galago
