// See the header. Ranges that the engine checks itself (check_options) are wide here; where OpenAI's and
// llama-server's names differ, the one that is there counts.
#include "server/api/generation_fields.h"

#include <algorithm>
#include <charconv>
#include <random>

#include "runtime/model_state.h"
#include "server/api/answer_format.h"
#include "server/api/api_error.h"

namespace galago::server {
namespace {

constexpr size_t kMostStops = 64;
constexpr size_t kMostBiases = 4096;
// Bytes of a prediction; what looks them up takes some thirty times as many.
constexpr size_t kMostPrediction = size_t{256} << 10;
constexpr int64_t kAnyCount = int64_t{1} << 40;  // tokens: the context's end comes first

int64_t token_limit(const Fields& body, const ApiOptions& api, AnswerCall& call) {
  std::string key;
  const OrderedJson* value =
      body.find({"max_completion_tokens", "max_tokens", "max_output_tokens", "n_predict"}, &key);
  const int64_t most = api.max_tokens > 0 ? api.max_tokens : kAnyCount;
  if (!value) return most;
  const int64_t asked = integer_of(*value, body.path(key), -1, INT64_MAX);
  call.silent = asked == 0;
  return asked < 0 ? most : std::clamp(asked, int64_t{1}, most);
}

double bias_of(const OrderedJson& value, const std::string& where) {
  if (value.is_boolean() && !value.get<bool>()) return -100;
  return number_of(value, where, -100, 100);
}

// {"123": -100} as OpenAI writes it, or [[123, -100], [124, false]] as llama-server does.
std::vector<TokenBias> logit_bias(const Fields& body) {
  std::vector<TokenBias> biases;
  const OrderedJson* value = body.find("logit_bias");
  if (!value) return biases;
  const std::string where = body.path("logit_bias");
  if (!value->is_structured() || value->size() > kMostBiases)
    refuse_field(where,
                 value->is_structured() ? std::to_string(value->size()) + " entries" : shown_json(*value),
                 "an object of at most " + std::to_string(kMostBiases) + " token ids with numbers");
  if (value->is_array()) {
    for (const OrderedJson& pair : *value) {
      if (!pair.is_array() || pair.size() != 2) refuse_field(where, shown_json(pair), "[token id, number]");
      biases.push_back({.id = static_cast<int32_t>(integer_of(pair[0], where, 0, INT32_MAX)),
                        .bias = bias_of(pair[1], where)});
    }
    return biases;
  }
  for (const auto& [key, bias] : value->items()) {
    int32_t id = -1;
    const auto [end, error] = std::from_chars(key.data(), key.data() + key.size(), id);
    if (error != std::errc() || end != key.data() + key.size() || id < 0)
      refuse_field(where, "the key " + shown_json(key), "the id of a token");
    biases.push_back({.id = id, .bias = bias_of(bias, where + "." + key)});
  }
  return biases;
}

// Chat says logprobs: true and top_logprobs: 5; completions logprobs: 5; llama-server n_probs: 5.
std::optional<int> logprobs(const Fields& body) {
  const OrderedJson* asked = body.find("logprobs");
  const auto top = body.integer("top_logprobs", 0, 20);
  if (const auto probs = body.integer("n_probs", 0, 20); probs && *probs > 0) return static_cast<int>(*probs);
  if (asked && asked->is_number()) return static_cast<int>(integer_of(*asked, body.path("logprobs"), 0, 20));
  const bool wanted = body.boolean("logprobs").value_or(false);
  if (!wanted && top.value_or(0) > 0)
    refuse_field(body.path("top_logprobs"), std::to_string(*top), "logprobs: true beside it");
  return wanted ? std::optional(static_cast<int>(top.value_or(0))) : std::nullopt;
}

void read_sampling(const Fields& body, const ApiOptions& api, GenerateOptions& options) {
  options.temperature = body.number("temperature", 0, 100).value_or(api.temperature);
  options.top_k = std::max<int64_t>(0, body.integer("top_k", -1, kAnyCount).value_or(0));
  options.top_p = body.number("top_p", 0, 1).value_or(1);
  if (options.top_p == 0) options.top_p = 1e-9;  // the likeliest alone, as others read it
  options.min_p = body.number("min_p", 0, 1).value_or(0);
  options.typical_p = body.number("typical_p", 0, 1).value_or(1);
  if (options.typical_p == 0) options.typical_p = 1;
  options.frequency_penalty = body.number("frequency_penalty", -2, 2).value_or(0);
  options.presence_penalty = body.number("presence_penalty", -2, 2).value_or(0);
  std::string key;
  if (const OrderedJson* value = body.find({"repetition_penalty", "repeat_penalty"}, &key))
    options.repetition_penalty = number_of(*value, body.path(key), 1e-3, 1e3);
  options.no_repeat_ngram_size = body.integer("no_repeat_ngram_size", 0, kAnyCount);
  options.min_new_tokens = body.integer("min_tokens", 0, kAnyCount);
  options.logit_bias = logit_bias(body);
  const int64_t seed = body.integer("seed", -1, INT64_MAX).value_or(-1);
  options.seed = seed >= 0 ? static_cast<uint64_t>(seed) : std::random_device()();
}

void read_end(const Fields& body, GenerateOptions& options) {
  options.stop = body.texts("stop", kMostStops);
  std::erase(options.stop, "");
  if (const OrderedJson* ids = body.find("stop_token_ids")) {
    if (!ids->is_array() || ids->size() > kMostStops)
      refuse_field(body.path("stop_token_ids"), shown_json(*ids), "a list of token ids");
    for (const OrderedJson& id : *ids)
      options.stop_token_ids.push_back(
          static_cast<int32_t>(integer_of(id, body.path("stop_token_ids"), 0, INT32_MAX)));
  }
  options.ignore_eos = body.boolean("ignore_eos").value_or(false);
}

std::string text_part(const OrderedJson& value, const std::string& where) {
  const Fields part(value, where);
  if (const auto type = part.text("type"); type.value_or("text") != "text")
    refuse_field(part.path("type"), shown_json(*type), "text");
  const OrderedJson* text = part.find("text");
  return text_of(text ? *text : OrderedJson(), part.path("text"));
}

// OpenAI's predicted outputs: {"type": "content", "content": a text or a list of parts with texts}.
void read_prediction(const Fields& body, GenerateOptions& options) {
  const OrderedJson* asked = body.find("prediction");
  if (!asked) return;
  const Fields prediction(*asked, body.path("prediction"));
  if (const auto type = prediction.text("type"); type && *type != "content")
    refuse_field(prediction.path("type"), shown_json(*type), "content");
  const OrderedJson* content = prediction.find("content");
  const std::string where = prediction.path("content");
  std::vector<std::string>& texts = options.draft.texts;
  if (content && content->is_array())
    for (size_t i = 0; i < content->size(); ++i)
      texts.push_back(text_part((*content)[i], where + "[" + std::to_string(i) + "]"));
  else
    texts.push_back(text_of(content ? *content : OrderedJson(), where));
  size_t bytes = 0;
  for (const std::string& text : texts) bytes += text.size();
  if (bytes > kMostPrediction)
    refuse_field(where, std::to_string(bytes) + " bytes", "at most " + std::to_string(kMostPrediction));
  options.draft.answer = true;
}

}  // namespace

std::vector<int32_t> AnswerCall::unseen_ids() const {
  if (request.options.keep_special.value_or(false)) return {};
  return model->chat->state()->frontend->generation().eos_token_id;
}

void read_generation(const Fields& body, const ApiOptions& api, AnswerCall& call) {
  GenerateOptions& options = call.request.options;
  options.max_new_tokens = token_limit(body, api, call);
  read_sampling(body, api, options);
  read_end(body, options);
  options.logprobs = logprobs(body);
  options.format = answer_format(body);
  read_prediction(body, options);
  // The text of DocTags is of no use without them, whatever a client's habit is.
  const bool doctags = call.model->chat->answer_defaults().doctags;
  if (const auto skip = body.boolean("skip_special_tokens"); skip && !doctags) options.keep_special = !*skip;
  options.reuse_prefix = body.boolean("cache_prompt").value_or(true);
  options.legal_doctags = body.boolean("legal_doctags").value_or(true);
  call.n = body.integer("n", 1, api.max_n).value_or(1);
  if (const auto best = body.integer("best_of", 1, api.max_n); best && *best != call.n)
    refuse_field(body.path("best_of"), std::to_string(*best), "n");
  call.stream = body.boolean("stream").value_or(false);
  if (const OrderedJson* asked = body.find("stream_options"))
    call.include_usage = Fields(*asked, body.path("stream_options")).boolean("include_usage").value_or(false);
  call.progress = body.boolean("progress").value_or(false);
  call.timings_per_token = body.boolean("timings_per_token").value_or(false);
  call.request.timeout_ms = 1000 * api.request_seconds;
}

}  // namespace galago::server
