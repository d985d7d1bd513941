// What weights in fewer bits and coarser arithmetic cost a text model. In: a model, a text file, and formats
// (--dtype, or --dtype/--compute), the first of which is the baseline. Out: one line of JSON for each:
// perplexity of the text, and how long greedy answers to fixed questions stay those of the baseline.
//   text_quality MODEL TEXT f32 q8 f32/int8
#include <algorithm>
#include <array>
#include <cmath>
#include <cstdio>
#include <fstream>
#include <sstream>
#include <string>
#include <vector>

#include "galago/galago.h"
#include "models/registry.h"
#include "models/weight_formats.h"

namespace {

using namespace galago;

constexpr int64_t kWindow = 512;       // tokens that are read together
constexpr int64_t kMostTokens = 2048;  // of the text
constexpr int64_t kAnswerTokens = 32;

constexpr std::array<const char*, 24> kQuestions = {"Why is the sky blue?",
                                                    "Name three primary colours.",
                                                    "What is the capital of France?",
                                                    "Write a short poem about rain.",
                                                    "How do bees make honey?",
                                                    "Explain what a prime number is.",
                                                    "What is 12 times 12?",
                                                    "Tell me a joke about cats.",
                                                    "Who wrote Hamlet?",
                                                    "List five animals that live in Africa.",
                                                    "How does a refrigerator work?",
                                                    "What is the difference between a lake and a sea?",
                                                    "Give a recipe for pancakes.",
                                                    "Translate 'good morning' into Spanish.",
                                                    "Why do leaves change colour in autumn?",
                                                    "What is photosynthesis?",
                                                    "Describe a rainbow to someone who cannot see.",
                                                    "How many days has a leap year?",
                                                    "What should I pack for a trip to the mountains?",
                                                    "Write a haiku about the sea.",
                                                    "Explain gravity to a child.",
                                                    "What causes thunder?",
                                                    "Name a famous painter and one painting.",
                                                    "How can I sleep better?"};

std::string read_file(const std::string& name) {
  std::ifstream file(name, std::ios::binary);
  std::ostringstream text;
  text << file.rdbuf();
  return text.str();
}

/// DTYPE or DTYPE/COMPUTE.
LoadOptions numbers_from(const std::string& words) {
  const size_t slash = words.find('/');
  LoadOptions load{.dtype = weight_dtype(words.substr(0, slash))};
  if (slash != std::string::npos) load.compute = compute_dtype(words.substr(slash + 1));
  return load;
}

/// Mean of -log p(token | those before it in its window).
double mean_surprise(const std::string& path, const LoadOptions& load, const std::string& text) {
  const auto frontend = load_frontend(path, {.numbers = numbers_of(load)});
  const Checkpoint checkpoint = frontend->files().checkpoint();
  const auto engine = frontend->load_engine(checkpoint);
  const Decoder& decoder = engine->decoder();
  std::vector<int32_t> ids = frontend->tokenizer().encode(text);
  ids.resize(std::min<size_t>(ids.size(), kMostTokens));
  Workspace workspace(engine->decoder().device());
  double sum = 0;
  int64_t count = 0;
  for (size_t begin = 0; begin + 1 < ids.size(); begin += kWindow) {
    const std::span<const int32_t> part =
        std::span<const int32_t>(ids).subspan(begin, std::min<size_t>(kWindow, ids.size() - begin));
    const auto rows = static_cast<int64_t>(part.size());
    Tensor embeds({rows, decoder.config().hidden_size}), hidden({rows, decoder.config().hidden_size});
    Tensor logits({rows, decoder.config().vocab_size});
    KvCache cache = decoder.make_cache(1, rows);
    std::vector<RowPlace> places;
    for (int64_t i = 0; i < rows; ++i) places.push_back({.sequence = 0, .position = static_cast<int32_t>(i)});
    decoder.embed(part, embeds.matrix());
    decoder.forward(embeds.matrix(), places, cache, workspace, hidden.matrix());
    decoder.logits(hidden.matrix(), logits.matrix());
    for (int64_t i = 0; i + 1 < rows; ++i, ++count) {
      const float* row = logits.matrix().row(i);
      const float most = *std::max_element(row, row + decoder.config().vocab_size);
      double total = 0;
      for (int64_t v = 0; v < decoder.config().vocab_size; ++v) total += std::exp(double{row[v]} - most);
      sum += std::log(total) + most - row[part[static_cast<size_t>(i + 1)]];
    }
  }
  return sum / static_cast<double>(count);
}

std::vector<std::vector<int32_t>> answers(const std::string& path, const LoadOptions& load) {
  const Model model = Model::load(path, load);
  std::vector<std::vector<int32_t>> all;
  for (const char* question : kQuestions) {
    Request request{.prompt = question};
    request.options.max_new_tokens = kAnswerTokens;
    all.push_back(model.ask(request).token_ids);
  }
  return all;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 4) {
    std::fprintf(stderr, "usage: text_quality MODEL TEXT DTYPE[/COMPUTE]...\n");
    return 64;
  }
  try {
    std::vector<std::vector<int32_t>> baseline;
    for (int i = 3; i < argc; ++i) {
      const LoadOptions load = numbers_from(argv[i]);
      const double surprise = mean_surprise(argv[1], load, read_file(argv[2]));
      const auto given = answers(argv[1], load);
      if (baseline.empty()) baseline = given;
      int whole = 0, same = 0, tokens = 0;
      for (size_t q = 0; q < given.size(); ++q) {
        const auto [end, other] =
            std::mismatch(baseline[q].begin(), baseline[q].end(), given[q].begin(), given[q].end());
        same += static_cast<int>(end - baseline[q].begin());
        tokens += static_cast<int>(baseline[q].size());
        whole += baseline[q] == given[q];
      }
      std::printf(
          "{\"dtype\": \"%s\", \"perplexity\": %.4f, \"answers_equal\": %d, \"answers\": %zu, "
          "\"tokens_equal\": %d, \"tokens\": %d}\n",
          argv[i], std::exp(surprise), whole, given.size(), same, tokens);
      std::fflush(stdout);
    }
  } catch (const Error& error) {
    std::fprintf(stderr, "text_quality: %s\n", error.what());
    return exit_code(error.code());
  }
  return 0;
}
