// See the header.
#include "server/api/answer_json.h"

#include <algorithm>
#include <ctime>
#include <mutex>
#include <random>

#include "server/api/json_response.h"

namespace galago::server {
namespace {

double per_second(int64_t count, double ms) { return ms > 0 ? 1000.0 * static_cast<double>(count) / ms : 0; }
double each(int64_t count, double ms) { return count > 0 ? ms / static_cast<double>(count) : 0; }

OrderedJson bytes_json(const std::string& bytes) {
  OrderedJson list = OrderedJson::array();
  for (const char byte : bytes) list.push_back(static_cast<unsigned char>(byte));
  return list;
}

OrderedJson token_json(const TokenLogprob& token) {
  return {{"token", token.text}, {"logprob", token.logprob}, {"bytes", bytes_json(token.bytes)}};
}

}  // namespace

OrderedJson usage_json(std::span<const Answer> answers, size_t n, bool predicted) {
  Usage sum;
  for (size_t i = 0; i < answers.size(); ++i) {
    const Usage& one = answers[i].usage;
    sum.completion_tokens += one.completion_tokens;
    sum.drafted_tokens += one.drafted_tokens;
    sum.accepted_tokens += one.accepted_tokens;
    if (i % n != 0) continue;  // the prompt of the one before
    sum.prompt_tokens += one.prompt_tokens;
    sum.cached_tokens += one.cached_tokens;
    sum.image_tokens += one.image_tokens;
  }
  OrderedJson json{
      {"prompt_tokens", sum.prompt_tokens},
      {"completion_tokens", sum.completion_tokens},
      {"total_tokens", sum.prompt_tokens + sum.completion_tokens},
      {"prompt_tokens_details", {{"cached_tokens", sum.cached_tokens}, {"image_tokens", sum.image_tokens}}}};
  if (predicted)
    json["completion_tokens_details"] = {
        {"accepted_prediction_tokens", sum.accepted_tokens},
        {"rejected_prediction_tokens", sum.drafted_tokens - sum.accepted_tokens}};
  return json;
}

OrderedJson timings_json(const Answer& answer) {
  const Timings& t = answer.timings;
  const int64_t read = answer.usage.prompt_tokens - answer.usage.cached_tokens;
  const int64_t said = answer.usage.completion_tokens;
  // Of the time to the first token, what was none of its own stages: others were at work.
  const double waited = t.first_token_ms - t.preprocess_ms - t.vision_ms - t.connector_ms - t.prefill_ms;
  return {{"cache_n", answer.usage.cached_tokens},
          {"prompt_n", read},
          {"prompt_ms", t.prefill_ms},
          {"prompt_per_token_ms", each(read, t.prefill_ms)},
          {"prompt_per_second", per_second(read, t.prefill_ms)},
          {"predicted_n", said},
          {"predicted_ms", t.decode_ms},
          {"predicted_per_token_ms", each(said, t.decode_ms)},
          {"predicted_per_second", t.tokens_per_second},
          {"queue_ms", std::max(0.0, waited)},
          {"decode_image_ms", t.decode_image_ms},
          {"preprocess_ms", t.preprocess_ms},
          {"vision_ms", t.vision_ms},
          {"connector_ms", t.connector_ms},
          {"prefill_ms", t.prefill_ms},
          {"first_token_ms", t.first_token_ms},
          {"decode_ms", t.decode_ms},
          {"tokens_per_second", t.tokens_per_second}};
}

OrderedJson running_timings_json(int64_t tokens, double ms) {
  return {{"predicted_n", tokens},
          {"predicted_ms", ms},
          {"predicted_per_token_ms", each(tokens, ms)},
          {"predicted_per_second", per_second(tokens, ms)}};
}

OrderedJson images_json(std::span<const ImageInfo> images) {
  OrderedJson list = OrderedJson::array();
  for (const ImageInfo& i : images)
    list.push_back({{"width", i.width},
                    {"height", i.height},
                    {"rows", i.rows},
                    {"cols", i.cols},
                    {"tiles", i.tiles},
                    {"tokens", i.tokens}});
  return list;
}

OrderedJson cache_json(const CacheCounts& cache) {
  return {{"memory_hits", cache.memory_hits},
          {"directory_hits", cache.directory_hits},
          {"misses", cache.misses},
          {"tiles_encoded", cache.tiles_encoded},
          {"tiles_repeated", cache.tiles_repeated}};
}

OrderedJson confidence_json(const Confidence& c) {
  return {{"tokens", c.tokens},
          {"mean_logprob", c.mean_logprob},
          {"min_logprob", c.min_logprob},
          {"margin", c.margin}};
}

std::span<const TokenLogprobs> tokens_of_text(std::span<const TokenLogprobs> tokens,
                                              std::span<const int32_t> unseen) {
  const bool ended =
      !tokens.empty() && std::find(unseen.begin(), unseen.end(), tokens.back().id) != unseen.end();
  return ended ? tokens.first(tokens.size() - 1) : tokens;
}

OrderedJson chat_logprobs(std::span<const TokenLogprobs> tokens) {
  OrderedJson content = OrderedJson::array();
  for (const TokenLogprobs& token : tokens) {
    OrderedJson one = token_json(token);
    one["top_logprobs"] = OrderedJson::array();
    for (const TokenLogprob& other : token.top) one["top_logprobs"].push_back(token_json(other));
    content.push_back(std::move(one));
  }
  return {{"content", content}, {"refusal", nullptr}};
}

size_t characters(std::string_view text) {
  return static_cast<size_t>(
      std::count_if(text.begin(), text.end(), [](char c) { return (c & 0xC0) != 0x80; }));
}

OrderedJson completion_logprobs(std::span<const TokenLogprobs> tokens, size_t offset, bool first_is_bare) {
  OrderedJson texts = OrderedJson::array(), numbers = OrderedJson::array(), tops = OrderedJson::array(),
              offsets = OrderedJson::array();
  for (size_t i = 0; i < tokens.size(); ++i) {
    const bool bare = i == 0 && first_is_bare;
    texts.push_back(tokens[i].text);
    numbers.push_back(bare ? OrderedJson() : OrderedJson(tokens[i].logprob));
    OrderedJson top = OrderedJson::object();
    for (const TokenLogprob& other : tokens[i].top) top[other.text] = other.logprob;
    tops.push_back(bare ? OrderedJson() : std::move(top));
    offsets.push_back(offset);
    offset += characters(tokens[i].text);
  }
  return {{"tokens", texts}, {"token_logprobs", numbers}, {"top_logprobs", tops}, {"text_offset", offsets}};
}

const char* finish_reason(const Answer& answer) {
  return answer.finish_reason == FinishReason::length ? "length" : "stop";
}

std::string event(const OrderedJson& json) { return "data: " + written(json) + "\n\n"; }

std::string new_id(const char* prefix) {
  static std::mutex mutex;
  static std::mt19937_64 random{std::random_device{}()};
  const std::lock_guard lock(mutex);
  std::string id = prefix;
  for (int i = 0; i < 24; ++i) id += "0123456789abcdefghijklmnopqrstuvwxyz"[random() % 36];
  return id;
}

int64_t unix_time() { return static_cast<int64_t>(std::time(nullptr)); }

}  // namespace galago::server
