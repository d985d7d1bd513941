// preprocessor_config.json, processor_config.json and generation_config.json.
// Defaults are those of transformers 5.18 Idefics3ImageProcessorPil, SmolVLMImageProcessorPil and
// GenerationConfig.
#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <string_view>
#include <utility>

#include "core/limits.h"
#include "galago/error.h"
#include "io/config.h"
#include "io/config_fields.h"
#include "io/json.h"

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

/// Keys that change a greedy answer of the reference and that galago does not run; the number is the value
/// that changes nothing.
void refuse_unknown_rules(const JsonField& object) {
  constexpr std::array<std::pair<const char*, double>, 7> kNeutral = {{{"no_repeat_ngram_size", 0},
                                                                       {"encoder_no_repeat_ngram_size", 0},
                                                                       {"min_length", 0},
                                                                       {"min_new_tokens", 0},
                                                                       {"encoder_repetition_penalty", 1},
                                                                       {"guidance_scale", 1},
                                                                       {"num_beams", 1}}};
  for (const auto& [key, neutral] : kNeutral)
    if (const auto field = object.find(key); field && field->number(-1e9, 1e9) != neutral)
      field->unsupported(std::to_string(static_cast<int>(neutral)) + ", or no such key");
  for (const char* key : {"forced_bos_token_id", "forced_eos_token_id", "begin_suppress_tokens",
                          "sequence_bias", "exponential_decay_length_penalty", "watermarking_config"})
    if (const auto field = object.find(key)) field->unsupported("no such key");
}

/// repetition_penalty, bad_words_ids and suppress_tokens, which hold for greedy answers too.
void read_rules(const JsonField& object, GenerationConfig& config) {
  if (const auto penalty = object.find("repetition_penalty"))
    config.repetition_penalty = penalty->number(1e-6, 1e6);
  if (const auto words = object.find("bad_words_ids"))
    for (size_t i = 0; i < words->size(); ++i) {
      std::vector<int32_t> word = token_ids(words->at(i));
      if (word.empty()) words->at(i).fail("a list of token ids");
      // The end of an answer is not a bad word.
      const bool end = word.size() == 1 && std::find(config.eos_token_id.begin(), config.eos_token_id.end(),
                                                     word.front()) != config.eos_token_id.end();
      if (!end) config.banned.push_back(std::move(word));
    }
  if (const auto tokens = object.find("suppress_tokens"))
    for (const int32_t id : token_ids(*tokens)) config.banned.push_back({id});
  refuse_unknown_rules(object);
}

bool holds_image_processor(const std::string& json, const std::string& where) {
  const Json document = parse_json(json, where);
  return JsonField(document, where).has("image_processor");
}

}  // namespace

int64_t read_longest_edge(const JsonField& object, const std::string& key, int64_t fallback) {
  const auto size = object.find(key);
  if (!size) return fallback;
  if (!size->value().is_object()) size->unsupported("an object with longest_edge");
  if (!size->has("longest_edge") && size->has("height") && size->has("width"))
    size->unsupported("an object with longest_edge");
  return size->at("longest_edge").integer(1, limits::kImageSide);
}

Resample read_resample(const JsonField& object, Resample fallback) {
  const auto field = object.find("resample");
  if (!field) return fallback;
  const int64_t number = field->integer(0, 5);  // Pillow's filters
  if (number > 3) field->unsupported("0 (nearest), 1 (lanczos), 2 (bilinear) or 3 (bicubic)");
  return static_cast<Resample>(number);
}

void read_pixel_scaling(const JsonField& object, PixelScaling& scaling) {
  scaling.do_rescale = boolean_or(object, "do_rescale", scaling.do_rescale);
  if (const auto factor = object.find("rescale_factor")) scaling.rescale_factor = factor->number(-1e6, 1e6);
  scaling.do_normalize = boolean_or(object, "do_normalize", scaling.do_normalize);
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
  config.do_convert_rgb = boolean_or(object, "do_convert_rgb", true);
  config.do_resize = boolean_or(object, "do_resize", true);
  config.size_longest_edge = read_longest_edge(object, "size", 4 * 364);
  config.resample = read_resample(object, Resample::lanczos);
  config.do_image_splitting = boolean_or(object, "do_image_splitting", true);
  config.max_image_size_longest_edge = read_longest_edge(object, "max_image_size", 364);
  read_pixel_scaling(object, config);
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
    const JsonField root(document, where);
    GenerationConfig config = read_tokens(root);
    read_rules(root, config);
    return config;
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

std::string read_model_type(const ModelFiles& files) {
  const std::string where = files.where("config.json");
  const Json document = parse_json(files.read("config.json", limits::kConfigBytes), where);
  return JsonField(document, where).at("model_type").string();
}

GenerationConfig read_generation_config(const ModelFiles& files) {
  const std::string model = files.read("config.json", limits::kConfigBytes);
  const auto generation = files.find("generation_config.json", limits::kConfigBytes);
  return parse_generation_config(generation, model, files.where("generation_config.json"));
}

ImageProcessorText read_image_processor(const ModelFiles& files) {
  for (const char* name : {"processor_config.json", "preprocessor_config.json"}) {
    auto text = files.find(name, limits::kConfigBytes);
    const bool own = text && name == std::string_view("preprocessor_config.json");
    if (text && (own || holds_image_processor(*text, files.where(name))))
      return {.json = std::move(*text), .where = files.where(name)};
  }
  throw Error(ErrorCode::not_found, {.where = files.path().string(),
                                     .got = "no preprocessor_config.json",
                                     .expected = "that file, or image_processor in processor_config.json"});
}

}  // namespace galago
