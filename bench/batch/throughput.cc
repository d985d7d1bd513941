// Whether the tower waits in a batch: the same pictures through Model::ask_all, all of them decoded before,
// and through batch::run, which opens them from files and writes a journal. In: a model, a folder, rounds.
// Out: one line of JSON.
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <vector>

#include "batch/batch.h"
#include "batch/sources.h"

using namespace galago;

namespace {

double seconds(const std::function<void()>& work) {
  const auto begin = std::chrono::steady_clock::now();
  work();
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
}

double median(std::vector<double> values) {
  std::ranges::sort(values);
  return values[values.size() / 2];
}

}  // namespace

int main(int argc, char** argv) try {
  if (argc != 4) return std::fputs("throughput MODEL FOLDER ROUNDS\n", stderr), 64;
  LoadOptions load;
  load.image_cache.memory_bytes = 0;  // a round must not find what the one before has left
  const Model model = Model::load(argv[1], load);
  Request base;
  base.prompt = "What is in the picture?";
  base.options.max_new_tokens = 16;
  batch::Options options;
  options.request = base;
  options.output = std::filesystem::temp_directory_path() / "galago-throughput.jsonl";
  options.restart = true;
  std::vector<double> asked, opened, batched;
  size_t pictures = 0;
  for (int round = 0; round < std::atoi(argv[3]); ++round) {
    std::vector<Request> requests;
    opened.push_back(seconds([&] {
      const auto source = batch::open_source({argv[2]});
      while (auto item = source->next()) requests.push_back(item->request(base));
    }));
    pictures = requests.size();
    asked.push_back(seconds([&] { model.ask_all(requests); }));
    requests.clear();
    batched.push_back(seconds([&] {
      const auto source = batch::open_source({argv[2]});
      batch::run(model, *source, options);
    }));
  }
  std::filesystem::remove(options.output);
  std::printf(
      "{\"pictures\": %zu, \"rounds\": %zu, \"ask_all_s\": %.3f, \"opening_s\": %.3f, \"batch_s\": %.3f}\n",
      pictures, asked.size(), median(asked), median(opened), median(batched));
  return 0;
} catch (const Error& error) {
  std::fprintf(stderr, "throughput: %s\n", error.what());
  return exit_code(error.code());
}
