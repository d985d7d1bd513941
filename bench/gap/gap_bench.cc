// What company costs those who stream. In: a model. Out: one JSON object: the times between two tokens of
// running answers while photos arrive, and how long all of it takes; then many short questions at once.
// Usage: gap_bench MODEL [--threads N] [--streams N] [--photos N] [--tokens N] [--max-gap-ms MS]
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include "galago/scheduler.h"

namespace {

using galago::Request;

double now_ms() {
  return std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now().time_since_epoch())
      .count();
}

struct Settings {
  std::string model;
  int threads = 0;
  int streams = 8;
  int photos = 4;
  int tokens = 192;  // of each stream
  double max_gap_ms = 200;
};

Settings read_settings(int count, char** words) {
  Settings settings;
  for (int i = 1; i < count; ++i) {
    const std::string word = words[i];
    const auto value = [&] { return std::stod(i + 1 < count ? words[++i] : "x"); };
    if (word == "--threads")
      settings.threads = static_cast<int>(value());
    else if (word == "--streams")
      settings.streams = static_cast<int>(value());
    else if (word == "--photos")
      settings.photos = static_cast<int>(value());
    else if (word == "--tokens")
      settings.tokens = static_cast<int>(value());
    else if (word == "--max-gap-ms")
      settings.max_gap_ms = value();
    else
      settings.model = word;
  }
  return settings;
}

// Noise, so that no tile is another's.
galago::Image photo(unsigned seed) {
  constexpr int64_t kSide = 2048;  // 4 x 4 tiles of 512 and the whole
  std::mt19937 random(seed);
  std::vector<uint8_t> pixels(static_cast<size_t>(kSide * kSide * 3));
  for (uint8_t& byte : pixels) byte = static_cast<uint8_t>(random());
  return galago::Image::from_rgb(kSide, kSide, pixels);
}

Request question(int number, int64_t tokens) {
  Request request{.prompt = "Tell me something about the number " + std::to_string(number) + ", please."};
  request.options.max_new_tokens = tokens;
  return request;
}

double at(std::vector<double> values, double share) {
  std::ranges::sort(values);
  return values.empty() ? 0 : values[static_cast<size_t>(share * static_cast<double>(values.size() - 1))];
}

// One stream's reader: when each token came.
std::jthread reader(galago::Handle& handle, std::vector<double>& times) {
  return std::jthread([&] {
    while (handle.next()) times.push_back(now_ms());
    handle.wait();
  });
}

void photos_among_streams(const galago::Model& model, const Settings& settings) {
  galago::Scheduler scheduler(
      model, {.max_sequences = settings.streams + settings.photos, .max_gap_ms = settings.max_gap_ms});
  std::vector<galago::Image> pictures;
  for (int i = 0; i < settings.photos; ++i) pictures.push_back(photo(static_cast<unsigned>(i)));
  std::vector<std::vector<double>> times(static_cast<size_t>(settings.streams));
  std::vector<galago::Handle> streams, asked;
  const double begin = now_ms();
  for (int i = 0; i < settings.streams; ++i)
    streams.push_back(scheduler.submit(question(i, settings.tokens)));
  std::vector<std::jthread> readers;
  for (size_t i = 0; i < streams.size(); ++i) readers.push_back(reader(streams[i], times[i]));
  std::this_thread::sleep_for(std::chrono::milliseconds(800));  // all of them stream
  const double arrival = now_ms();
  for (const galago::Image& picture : pictures) {
    Request request = question(0, 16);
    request.images = {picture};
    asked.push_back(scheduler.submit(request));
  }
  int64_t tokens = 0, tiles = 0;
  for (galago::Handle& one : asked) {
    const galago::Answer answer = one.wait();
    tokens += answer.usage.completion_tokens;
    tiles += answer.cache.tiles_encoded;
  }
  const double answered = now_ms();
  readers.clear();
  const double end = now_ms();
  std::vector<double> gaps;
  for (const std::vector<double>& stream : times) {
    tokens += std::ssize(stream);
    for (size_t i = 1; i < stream.size(); ++i)
      if (stream[i] > arrival && stream[i - 1] < answered) gaps.push_back(stream[i] - stream[i - 1]);
  }
  std::printf(
      "\"streams\": %d, \"photos\": %d, \"tiles\": %ld, \"gap_ms\": {\"p50\": %.1f, \"p99\": %.1f, \"max\": "
      "%.1f}, "
      "\"photos_ms\": %.0f, \"total_ms\": %.0f, \"tokens_per_second\": %.2f",
      settings.streams, settings.photos, static_cast<long>(tiles), at(gaps, 0.5), at(gaps, 0.99), at(gaps, 1),
      answered - arrival, end - begin, static_cast<double>(tokens) * 1000 / (end - begin));
}

// What the pieces of such work take alone.
void pieces(const galago::Model& model) {
  Request request = question(0, 1);
  request.images = {photo(99)};
  std::vector<double> times;
  request.on_progress = [&](const galago::Progress&) {
    times.push_back(now_ms());
    return true;
  };
  const galago::Answer answer = model.ask(request);
  std::vector<double> tile;
  for (size_t i = 1; i < times.size(); ++i) tile.push_back(times[i] - times[i - 1]);
  std::printf(", \"tile_ms\": %.1f, \"prompt_ms\": %.1f, \"prompt_tokens\": %ld", at(tile, 0.5),
              answer.timings.prefill_ms, static_cast<long>(answer.usage.prompt_tokens));
}

void short_questions(const galago::Model& model) {
  constexpr int kCount = 64;
  std::vector<Request> requests;
  for (int i = 0; i < kCount; ++i) requests.push_back(question(i, 32));
  const double begin = now_ms();
  int64_t tokens = 0;
  for (const galago::Outcome& outcome : model.ask_all(requests))
    tokens += outcome.value().usage.completion_tokens;
  const double took = now_ms() - begin;
  std::printf(", \"short_requests\": %d, \"short_ms\": %.0f, \"short_tokens_per_second\": %.2f", kCount, took,
              static_cast<double>(tokens) * 1000 / took);
}

}  // namespace

int main(int count, char** words) {
  const Settings settings = read_settings(count, words);
  const auto model = galago::Model::load(
      settings.model, {.threads = settings.threads, .mmap = false, .image_cache = {.memory_bytes = 0}});
  model.ask(question(0, 4));  // weights are read, threads are there
  std::printf("{");
  photos_among_streams(model, settings);
  pieces(model);
  short_questions(model);
  std::printf("}\n");
}
