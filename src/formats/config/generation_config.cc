// How an answer is generated, as a model's files say: generation_config.json, or the keys of the same names
// in config.json where that file is absent. What is not followed is refused by name. Reference:
// transformers 5.18 GenerationConfig (from_model_config), GenerationMixin._get_logits_processor and
// _get_stopping_criteria.
#include <algorithm>
#include <array>
#include <utility>

#include "core/limits.h"
#include "formats/config/config.h"
#include "formats/json.h"

namespace galago {
namespace {

/// Where a key may stand, in the order in which places are asked: the first that says something counts. An
/// absent key and null say nothing.
class GenerationKeys {
 public:
  explicit GenerationKeys(std::vector<JsonField> places) : places_(std::move(places)) {}

  std::optional<JsonField> find(const std::string& key) const {
    for (const JsonField& place : places_)
      if (auto field = place.find(key)) return field;
    return std::nullopt;
  }

 private:
  std::vector<JsonField> places_;
};

/// A token id; -1, as some files write "none", is nothing.
std::optional<int32_t> token_id(const JsonField& field) {
  const auto id = static_cast<int32_t>(field.integer(-1, limits::kConfigVocabulary - 1));
  return id < 0 ? std::nullopt : std::optional(id);
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

void read_tokens(const GenerationKeys& keys, GenerationConfig& config) {
  if (const auto eos = keys.find("eos_token_id")) config.eos_token_id = token_ids(*eos);
  if (const auto pad = keys.find("pad_token_id")) config.pad_token_id = token_id(*pad);
  if (const auto bos = keys.find("bos_token_id")) config.bos_token_id = token_id(*bos);
}

/// Keys that change an answer of the reference, with the value that changes nothing.
void refuse_numbers(const GenerationKeys& keys) {
  constexpr std::array<std::pair<const char*, double>, 9> kNeutral = {{{"no_repeat_ngram_size", 0},
                                                                       {"encoder_no_repeat_ngram_size", 0},
                                                                       {"min_length", 0},
                                                                       {"min_new_tokens", 0},
                                                                       {"penalty_alpha", 0},
                                                                       {"encoder_repetition_penalty", 1},
                                                                       {"guidance_scale", 1},
                                                                       {"num_beams", 1},
                                                                       {"num_return_sequences", 1}}};
  for (const auto& [key, neutral] : kNeutral)
    if (const auto field = keys.find(key); field && field->number(-1e9, 1e9) != neutral)
      field->unsupported(std::to_string(static_cast<int>(neutral)) + ", or no such key");
}

void refuse_unknown_rules(const GenerationKeys& keys) {
  refuse_numbers(keys);
  for (const char* key : {"forced_bos_token_id", "forced_eos_token_id", "begin_suppress_tokens",
                          "sequence_bias", "exponential_decay_length_penalty", "watermarking_config",
                          "dola_layers", "force_words_ids", "constraints", "stop_strings", "max_time"})
    if (const auto field = keys.find(key)) field->unsupported("no such key");
  for (const char* key : {"token_healing", "force_bos_token_to_be_generated"})
    if (const auto field = keys.find(key); field && field->boolean())
      field->unsupported("false, or no such key");
  // Other caches keep what they are given; this one rounds it.
  if (const auto cache = keys.find("cache_implementation"); cache && cache->string() == "quantized")
    cache->unsupported("another cache, or no such key");
}

/// repetition_penalty, bad_words_ids and suppress_tokens, which hold for greedy answers too.
void read_rules(const GenerationKeys& keys, GenerationConfig& config) {
  if (const auto penalty = keys.find("repetition_penalty"))
    config.repetition_penalty = penalty->number(1e-6, 1e6);
  if (const auto words = keys.find("bad_words_ids"))
    for (size_t i = 0; i < words->size(); ++i) {
      std::vector<int32_t> word = token_ids(words->at(i));
      if (word.empty()) words->at(i).fail("a list of token ids");
      // The end of an answer is not a bad word.
      const bool end = word.size() == 1 && std::find(config.eos_token_id.begin(), config.eos_token_id.end(),
                                                     word.front()) != config.eos_token_id.end();
      if (!end) config.banned.push_back(std::move(word));
    }
  if (const auto tokens = keys.find("suppress_tokens"))
    for (const int32_t id : token_ids(*tokens)) config.banned.push_back({id});
  refuse_unknown_rules(keys);
}

}  // namespace

GenerationConfig parse_generation_config(std::optional<std::string_view> json, std::string_view model_json,
                                         const std::string& where) {
  // A generation_config.json is the whole truth where it exists: transformers does not look further.
  const Json document = parse_json(json ? *json : model_json, where);
  const JsonField root(document, where);
  std::vector<JsonField> places = {root};
  if (!json)
    if (const auto text = root.find("text_config")) places.push_back(*text);
  const GenerationKeys keys(std::move(places));
  GenerationConfig config;
  read_tokens(keys, config);
  read_rules(keys, config);
  return config;
}

GenerationConfig read_generation_config(const ModelFiles& files) {
  const std::string model = files.read("config.json", limits::kConfigBytes);
  const auto generation = files.find("generation_config.json", limits::kConfigBytes);
  const std::string read = generation ? "generation_config.json" : "config.json";
  return parse_generation_config(generation, model, files.where(read));
}

}  // namespace galago
