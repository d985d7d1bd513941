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
  constexpr std::array<std::pair<const char*, double>, 6> kNeutral = {{{"encoder_no_repeat_ngram_size", 0},
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
  for (const char* key : {"forced_bos_token_id", "forced_eos_token_id", "watermarking_config", "dola_layers",
                          "force_words_ids", "constraints", "stop_strings", "max_time"})
    if (const auto field = keys.find(key)) field->unsupported("no such key");
  for (const char* key : {"token_healing", "force_bos_token_to_be_generated"})
    if (const auto field = keys.find(key); field && field->boolean())
      field->unsupported("false, or no such key");
  // Other caches keep what they are given; this one rounds it.
  if (const auto cache = keys.find("cache_implementation"); cache && cache->string() == "quantized")
    cache->unsupported("another cache, or no such key");
}

/// [[ids, bias], ...]
std::vector<SequenceBias> sequence_biases(const JsonField& list) {
  std::vector<SequenceBias> biases;
  for (size_t i = 0; i < list.size(); ++i) {
    const JsonField pair = list.at(i);
    if (pair.size() != 2) pair.fail("a list of token ids and a number");
    biases.push_back({token_ids(pair.at(0)), pair.at(1).number(-1e30, 1e30)});
    if (biases.back().ids.empty()) pair.fail("at least one token id");
  }
  return biases;
}

/// [start, factor]
LengthDecay length_decay(const JsonField& pair) {
  if (pair.size() != 2) pair.fail("a list of a length and a factor");
  return {pair.at(0).integer(0, limits::kConfigPositions), pair.at(1).number(1e-3, 1e3)};
}

/// What holds for greedy answers too.
void read_rules(const GenerationKeys& keys, GenerationRules& rules) {
  if (const auto penalty = keys.find("repetition_penalty"))
    rules.repetition_penalty = penalty->number(1e-6, 1e6);
  const auto count = [&keys](const char* key, int64_t& value) {
    if (const auto field = keys.find(key)) value = field->integer(0, limits::kConfigPositions);
  };
  count("no_repeat_ngram_size", rules.no_repeat_ngram_size);
  count("min_length", rules.min_length);
  count("min_new_tokens", rules.min_new_tokens);
  if (const auto words = keys.find("bad_words_ids"))
    for (size_t i = 0; i < words->size(); ++i) {
      rules.bad_words.push_back(token_ids(words->at(i)));
      if (rules.bad_words.back().empty()) words->at(i).fail("a list of token ids");
    }
  if (const auto tokens = keys.find("suppress_tokens")) rules.suppress_tokens = token_ids(*tokens);
  if (const auto tokens = keys.find("begin_suppress_tokens"))
    rules.begin_suppress_tokens = token_ids(*tokens);
  if (const auto biases = keys.find("sequence_bias")) rules.sequence_bias = sequence_biases(*biases);
  if (const auto decay = keys.find("exponential_decay_length_penalty"))
    rules.exponential_decay = length_decay(*decay);
  refuse_unknown_rules(keys);
}

/// Whether and how the reference would draw. Here the caller chooses that.
void read_sampling(const GenerationKeys& keys, GenerationConfig& config) {
  const auto sample = keys.find("do_sample");
  if (!sample || !sample->boolean()) return;
  config.sampling.push_back("do_sample");
  for (const char* key :
       {"temperature", "top_k", "top_p", "min_p", "top_h", "typical_p", "epsilon_cutoff", "eta_cutoff"})
    if (const auto field = keys.find(key)) {
      field->number(-1e9, 1e9);
      config.sampling.push_back(std::string(key) + " " + field->value().dump());
    }
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
  read_rules(keys, config.rules);
  read_sampling(keys, config);
  return config;
}

GenerationConfig read_generation_config(const ModelFiles& files) {
  const std::string model = files.read("config.json", limits::kConfigBytes);
  const auto generation = files.find("generation_config.json", limits::kConfigBytes);
  const std::string read = generation ? "generation_config.json" : "config.json";
  return parse_generation_config(generation, model, files.where(read));
}

}  // namespace galago
