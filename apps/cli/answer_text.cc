// See the header.
#include "answer_text.h"

#include <algorithm>
#include <cmath>
#include <cstdio>

#include "console.h"
#include "io/process_memory.h"
#include "messages/answer_json.h"
#include "terminal.h"
#include "wording.h"

namespace galago::cli {
namespace {

nlohmann::ordered_json image_json(const std::string& path, const ImageInfo& info) {
  return {{"path", path},      {"width", info.width}, {"height", info.height}, {"rows", info.rows},
          {"cols", info.cols}, {"tiles", info.tiles}, {"tokens", info.tokens}};
}

nlohmann::ordered_json video_json(const std::string& path, const VideoInfo& info) {
  return {{"path", path},    {"width", info.width},     {"height", info.height},   {"frames", info.frames},
          {"fps", info.fps}, {"seconds", info.seconds}, {"sampled", info.sampled}, {"tokens", info.tokens}};
}

nlohmann::ordered_json cache_json(const CacheCounts& cache) {
  return {{"memory_hits", cache.memory_hits},
          {"directory_hits", cache.directory_hits},
          {"misses", cache.misses},
          {"unsaved", cache.unsaved},
          {"tiles_encoded", cache.tiles_encoded},
          {"tiles_repeated", cache.tiles_repeated}};
}

std::string with_digits(double value, int digits) {
  char text[32];
  std::snprintf(text, sizeof text, "%.*f", digits, value);
  return text;
}

std::string percent(double logprob) { return with_digits(100 * std::exp(logprob), 2) + "%"; }

std::string shown_token(const TokenLogprob& token) { return '"' + escaped_line(token.text) + '"'; }

/// The columns id, token, logprob, probability, and the likeliest in its place.
std::string tokens_table(const std::vector<TokenLogprobs>& tokens) {
  std::vector<std::vector<std::string>> rows{{"id", "token", "logprob", "probability"}};
  if (std::any_of(tokens.begin(), tokens.end(), [](const auto& token) { return !token.top.empty(); }))
    rows[0].emplace_back("likeliest");
  for (const TokenLogprobs& token : tokens) {
    std::string top;
    for (const TokenLogprob& other : token.top)
      top += (top.empty() ? "" : ", ") + shown_token(other) + " " + percent(other.logprob);
    rows.push_back({std::to_string(token.id), shown_token(token), with_digits(token.logprob, 4),
                    percent(token.logprob), top});
  }
  return table(rows);
}

std::string fixed(double value) { return with_digits(value, 1); }

// Which pictures were not encoded, and which tiles; nothing for a request without pictures.
std::string cache_text(const CacheCounts& c) {
  const auto count = [](int64_t number, const char* what) { return std::to_string(number) + what; };
  const int64_t hits = c.memory_hits + c.directory_hits;
  if (hits + c.misses == 0) return "";
  return "image cache: " + count(hits, hits == 1 ? " hit, " : " hits, ") +
         count(c.misses, c.misses == 1 ? " miss" : " misses") +
         (c.unsaved ? ", " + count(c.unsaved, " could not be saved") : "") +
         "; tiles: " + count(c.tiles_encoded, " encoded, ") + count(c.tiles_repeated, " repeated\n");
}

}  // namespace

nlohmann::ordered_json answer_json(const Answer& answer, const Asked& asked) {
  auto images = nlohmann::ordered_json::array();
  for (size_t i = 0; i < answer.images.size(); ++i)
    images.push_back(image_json(asked.images[i], answer.images[i]));
  auto videos = nlohmann::ordered_json::array();
  for (size_t i = 0; i < answer.videos.size(); ++i)
    videos.push_back(video_json(asked.videos[i], answer.videos[i]));
  nlohmann::ordered_json json{{"text", answer.text},
                              {"token_ids", answer.token_ids},
                              {"prompt_token_ids", answer.prompt_token_ids},
                              {"finish_reason", to_string(answer.finish_reason)},
                              {"seed", asked.seed},
                              {"images", images},
                              {"videos", videos},
                              {"usage",
                               {{"prompt_tokens", answer.usage.prompt_tokens},
                                {"image_tokens", answer.usage.image_tokens},
                                {"completion_tokens", answer.usage.completion_tokens},
                                {"cached_tokens", answer.usage.cached_tokens}}},
                              {"cache", cache_json(answer.cache)},
                              {"timings", timings_json(answer.timings)},
                              {"peak_memory_bytes", peak_memory()}};
  if (!answer.tokens.empty()) json["tokens"] = tokens_json(answer.tokens);
  if (!answer.prompt_tokens.empty()) json["prompt_tokens"] = tokens_json(answer.prompt_tokens);
  if (answer.confidence) json["confidence"] = confidence_json(*answer.confidence);
  if (!answer.elements.empty()) json["elements"] = elements_json(answer.elements);
  return json;
}

std::string logprobs_text(const Answer& answer) {
  std::string text;
  if (!answer.prompt_tokens.empty()) text += "prompt:\n" + tokens_table(answer.prompt_tokens);
  if (!answer.tokens.empty()) text += "answer:\n" + tokens_table(answer.tokens);
  return text;
}

std::string stats_text(const Answer& answer, const Asked& asked) {
  const Timings& t = answer.timings;
  std::string text;
  for (const ImageInfo& i : answer.images)
    text += "image " + std::to_string(i.width) + "x" + std::to_string(i.height) + ": " +
            (i.rows ? std::to_string(i.rows) + "x" + std::to_string(i.cols) + " tiles + the whole image"
                    : std::string("one tile")) +
            ", " + std::to_string(i.tokens) + " tokens\n";
  for (const VideoInfo& v : answer.videos)
    text += "video " + std::to_string(v.width) + "x" + std::to_string(v.height) + ": " +
            std::to_string(v.sampled.size()) + " of " + std::to_string(v.frames) + " frames, " +
            fixed(v.seconds) + " s, " + std::to_string(v.tokens) + " tokens\n";
  text += cache_text(answer.cache);
  if (const auto& c = answer.confidence)
    text += "confidence: mean logprob " + with_digits(c->mean_logprob, 4) + ", least " +
            with_digits(c->min_logprob, 4) + ", margin " + with_digits(c->margin, 2) + " over " +
            std::to_string(c->tokens) + " tokens\n";
  if (asked.sampled) text += "seed " + std::to_string(asked.seed) + "\n";
  text +=
      table({{"load", fixed(t.load_ms) + " ms"},
             {"decode image", fixed(t.decode_image_ms) + " ms"},
             {"preprocess", fixed(t.preprocess_ms) + " ms"},
             {"vision tower", fixed(t.vision_ms) + " ms"},
             {"connector", fixed(t.connector_ms) + " ms"},
             {"prefill", fixed(t.prefill_ms) + " ms", std::to_string(answer.usage.prompt_tokens) + " tokens"},
             {"first token", fixed(t.first_token_ms) + " ms"},
             {"decode", fixed(t.decode_ms) + " ms",
              std::to_string(answer.usage.completion_tokens) + " tokens, " + fixed(t.tokens_per_second) +
                  " tokens/s"},
             {"peak memory", fixed(static_cast<double>(peak_memory()) / 1e6) + " MB"}});
  return text;
}

void say_cut(const Answer& answer, const GenerateOptions& options, const Model& model) {
  if (answer.finish_reason != FinishReason::length) return;
  const int64_t asked = options.max_new_tokens.value_or(model.answer_defaults().max_new_tokens);
  const int64_t got = answer.usage.completion_tokens;
  if (got < asked)
    notice("the answer was cut after " + counted(got, "token") + ", at the end of the model's context");
  else
    notice("the answer was cut after " + counted(got, "token") + ": -n " + std::to_string(2 * got) +
           " allows more, -n -1 all that the context holds");
}

}  // namespace galago::cli
