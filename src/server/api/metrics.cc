// See the header. Reference: prometheus.io, exposition formats; llama-server's names where the meaning is the
// same.
#include "server/api/metrics.h"

#include <algorithm>
#include <charconv>

namespace galago::server {
namespace {

constexpr size_t kMostPaths = 64;  // a hostile client may ask for any path

std::string number(double value) {
  char text[64];
  const auto end = std::to_chars(text, text + sizeof text, value).ptr;
  return {text, end};
}

std::string quoted(const std::string& text) {
  std::string out;
  for (const char c : text) {
    if (c == '\\' || c == '"') out += '\\';
    if (c == '\n')
      out += "\\n";
    else
      out += c;
  }
  return "\"" + out + "\"";
}

std::string head(const std::string& name, const std::string& help, const char* type) {
  return "# HELP " + name + " " + help + "\n# TYPE " + name + " " + type + "\n";
}

// Steps of 1, 2 and 5 between two powers of ten.
std::vector<double> bounds(double least, double most) {
  std::vector<double> all;
  for (double power = least; power <= most; power *= 10)
    for (const double step : {1.0, 2.0, 5.0})
      if (power * step <= most * 1.0001) all.push_back(power * step);
  return all;
}

}  // namespace

void Histogram::add(double seconds) {
  const auto bucket = std::lower_bound(bounds_.begin(), bounds_.end(), seconds) - bounds_.begin();
  const std::lock_guard lock(mutex_);
  ++counts_[static_cast<size_t>(bucket)];
  ++count_;
  sum_ += seconds;
}

double Histogram::mean() const {
  const std::lock_guard lock(mutex_);
  return count_ > 0 ? sum_ / static_cast<double>(count_) : 0;
}

std::string Histogram::text(const std::string& name, const std::string& help) const {
  const std::lock_guard lock(mutex_);
  std::string out = head(name, help, "histogram");
  int64_t below = 0;
  for (size_t i = 0; i < counts_.size(); ++i) {
    below += counts_[i];
    const std::string bound = i < bounds_.size() ? number(bounds_[i]) : "+Inf";
    out += name + "_bucket{le=\"" + bound + "\"} " + std::to_string(below) + "\n";
  }
  return out + name + "_sum " + number(sum_) + "\n" + name + "_count " + std::to_string(count_) + "\n";
}

Metrics::Metrics()
    : first_token(bounds(0.001, 100)), between_tokens(bounds(0.0001, 10)), request(bounds(0.001, 1000)) {}

void Metrics::count_request(const std::string& path, int status) {
  const std::lock_guard lock(mutex_);
  std::pair<std::string, int> key{path, status};
  if (status == 404 || (requests_.size() >= kMostPaths && !requests_.contains(key))) key.first = "other";
  ++requests_[key];
}

void Metrics::count_answer(const std::string& model, const Answer& answer) {
  const std::lock_guard lock(mutex_);
  Sums& sums = models_[model];
  ++sums.answers;
  sums.tiles += answer.cache.tiles_encoded;
  sums.usage.prompt_tokens += answer.usage.prompt_tokens;
  sums.usage.image_tokens += answer.usage.image_tokens;
  sums.usage.completion_tokens += answer.usage.completion_tokens;
  sums.usage.cached_tokens += answer.usage.cached_tokens;
  sums.usage.drafted_tokens += answer.usage.drafted_tokens;
  sums.usage.accepted_tokens += answer.usage.accepted_tokens;
  for (const auto stage : {&Timings::decode_image_ms, &Timings::preprocess_ms, &Timings::vision_ms,
                           &Timings::connector_ms, &Timings::prefill_ms, &Timings::decode_ms})
    sums.timings.*stage += answer.timings.*stage;
  for (const auto count : {&CacheCounts::memory_hits, &CacheCounts::directory_hits, &CacheCounts::misses,
                           &CacheCounts::tiles_encoded, &CacheCounts::tiles_repeated})
    sums.cache.*count += answer.cache.*count;
}

Metrics::Rates Metrics::rates(const std::string& model) const {
  const std::lock_guard lock(mutex_);
  const auto found = models_.find(model);
  if (found == models_.end()) return {};
  const Sums& sums = found->second;
  const int64_t read = sums.usage.prompt_tokens - sums.usage.cached_tokens;
  const double tiles_ms = sums.timings.preprocess_ms + sums.timings.vision_ms + sums.timings.connector_ms;
  return {.tile_ms = sums.tiles > 0 ? tiles_ms / static_cast<double>(sums.tiles) : 0,
          .prompt_ms = read > 0 ? sums.timings.prefill_ms / static_cast<double>(read) : 0};
}

std::string Metrics::text(const std::vector<Gauge>& gauges) const {
  std::string out =
      first_token.text("galago_time_to_first_token_seconds",
                       "From a request to the first piece of its answer.") +
      between_tokens.text("galago_time_between_tokens_seconds", "Between two pieces of an answer.") +
      request.text("galago_generation_seconds", "Whole requests for answers.");
  std::string last;
  for (const Gauge& gauge : gauges) {
    if (gauge.name != last) out += head(gauge.name, gauge.help, "gauge");
    last = gauge.name;
    out += gauge.name + (gauge.labels.empty() ? "" : "{" + gauge.labels + "}") + " " + number(gauge.value) +
           "\n";
  }
  out += head("galago_clients_left_total", "Clients that left before their answer was whole.", "counter") +
         "galago_clients_left_total " + std::to_string(clients_left.load()) + "\n";
  const std::lock_guard lock(mutex_);
  out += head("galago_http_requests_total", "Requests by path and status; 0: the client left.", "counter");
  for (const auto& [key, count] : requests_)
    out += "galago_http_requests_total{path=" + quoted(key.first) + ",status=\"" +
           std::to_string(key.second) + "\"} " + std::to_string(count) + "\n";
  const auto counter = [&](const std::string& name, const std::string& help, auto value) {
    out += head(name, help, "counter");
    for (const auto& [model, sums] : models_)
      out += name + "{model=" + quoted(model) + "} " + number(static_cast<double>(value(sums))) + "\n";
  };
  counter("galago_answers_total", "Answers that are over.", [](const Sums& s) { return s.answers; });
  counter("galago_prompt_tokens_total", "Tokens of prompts.",
          [](const Sums& s) { return s.usage.prompt_tokens; });
  counter("galago_image_tokens_total", "Of them, tokens of pictures.",
          [](const Sums& s) { return s.usage.image_tokens; });
  counter("galago_cached_tokens_total", "Of them, taken from earlier prompts.",
          [](const Sums& s) { return s.usage.cached_tokens; });
  counter("galago_completion_tokens_total", "Tokens of answers.",
          [](const Sums& s) { return s.usage.completion_tokens; });
  counter("galago_drafted_tokens_total", "Guesses at tokens of answers that went through the model.",
          [](const Sums& s) { return s.usage.drafted_tokens; });
  counter("galago_accepted_tokens_total", "Of them, those that were right.",
          [](const Sums& s) { return s.usage.accepted_tokens; });
  counter("galago_tiles_encoded_total", "Tiles that went through the vision tower.",
          [](const Sums& s) { return s.tiles; });
  counter("galago_image_cache_hits_total", "Pictures that were known.",
          [](const Sums& s) { return s.cache.memory_hits + s.cache.directory_hits; });
  counter("galago_image_cache_misses_total", "Pictures that were encoded.",
          [](const Sums& s) { return s.cache.misses; });
  out += head("galago_stage_seconds_total", "Seconds of each stage.", "counter");
  for (const auto& [model, sums] : models_)
    for (const auto& [stage, ms] :
         {std::pair("decode_image", sums.timings.decode_image_ms),
          std::pair("preprocess", sums.timings.preprocess_ms), std::pair("vision", sums.timings.vision_ms),
          std::pair("connector", sums.timings.connector_ms), std::pair("prefill", sums.timings.prefill_ms),
          std::pair("decode", sums.timings.decode_ms)})
      out += "galago_stage_seconds_total{model=" + quoted(model) + ",stage=\"" + stage + "\"} " +
             number(ms / 1000) + "\n";
  // llama-server's names, of all models together.
  Sums all;
  for (const auto& [model, sums] : models_) {
    all.usage.prompt_tokens += sums.usage.prompt_tokens - sums.usage.cached_tokens;
    all.usage.completion_tokens += sums.usage.completion_tokens;
    all.timings.prefill_ms += sums.timings.prefill_ms;
    all.timings.decode_ms += sums.timings.decode_ms;
  }
  const auto alias = [&](const char* name, const char* help, const char* type, double value) {
    out +=
        head(std::string("llamacpp:") + name, help, type) + "llamacpp:" + name + " " + number(value) + "\n";
  };
  const double read = static_cast<double>(all.usage.prompt_tokens),
               said = static_cast<double>(all.usage.completion_tokens);
  const double read_s = all.timings.prefill_ms / 1000, said_s = all.timings.decode_ms / 1000;
  alias("prompt_tokens_total", "Prompt tokens that were read.", "counter", read);
  alias("prompt_seconds_total", "Seconds of reading prompts.", "counter", read_s);
  alias("tokens_predicted_total", "Tokens of answers.", "counter", said);
  alias("tokens_predicted_seconds_total", "Seconds of answering.", "counter", said_s);
  alias("prompt_tokens_seconds", "Prompt tokens a second.", "gauge", read_s > 0 ? read / read_s : 0);
  alias("predicted_tokens_seconds", "Tokens of answers a second.", "gauge", said_s > 0 ? said / said_s : 0);
  return out;
}

}  // namespace galago::server
