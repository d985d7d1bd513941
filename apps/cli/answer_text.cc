// See the header.
#include "answer_text.h"

#include <cstdio>

#include "console.h"
#include "io/process_memory.h"

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

std::string fixed(double value) {
  char text[32];
  std::snprintf(text, sizeof text, "%.1f", value);
  return text;
}

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
  const Timings& t = answer.timings;
  return {{"text", answer.text},
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
          {"timings",
           {{"load_ms", t.load_ms},
            {"decode_image_ms", t.decode_image_ms},
            {"preprocess_ms", t.preprocess_ms},
            {"vision_ms", t.vision_ms},
            {"connector_ms", t.connector_ms},
            {"prefill_ms", t.prefill_ms},
            {"first_token_ms", t.first_token_ms},
            {"decode_ms", t.decode_ms},
            {"tokens_per_second", t.tokens_per_second}}},
          {"peak_memory_bytes", peak_memory()}};
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

}  // namespace galago::cli
