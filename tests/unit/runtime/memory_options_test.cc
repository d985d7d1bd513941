// What LoadOptions ask of memory: a cache of half numbers, and weights that are given back; neither changes
// what may not change.
#include <gtest/gtest.h>

#include <set>

#include "galago/galago.h"
#include "support/model_files.h"

namespace galago {
namespace {

Answer ask(const LoadOptions& options, int times = 1) {
  const Model model = Model::load(test::data_path("models/smolvlm_tiles"), options);
  Request request;
  request.prompt = "What is in this image?";
  request.images = {Image::open(test::data_path("pictures/shapes_300x60.jpg"))};
  request.options.max_new_tokens = 24;
  for (int i = 1; i < times; ++i) model.ask(request);
  return model.ask(request);
}

TEST(MemoryOptions, WeightsThatWereGivenBackAreReadAgain) {
  const Answer kept = ask({.threads = 1});
  EXPECT_EQ(ask({.threads = 1, .low_memory = true}, 2).token_ids, kept.token_ids);
}

TEST(MemoryOptions, CopiedWeightsAnswerTheSame) {
  EXPECT_EQ(ask({.threads = 1, .mmap = false}, 2).token_ids, ask({.threads = 1}).token_ids);
}

TEST(MemoryOptions, ACacheOfHalvesAnswers) {
  const Answer floats = ask({.threads = 1}),
               halves = ask({.threads = 1, .kv_cache_dtype = KvCacheDtype::f16});
  EXPECT_EQ(halves.token_ids.size(), floats.token_ids.size());
  EXPECT_EQ(halves.token_ids.at(0), floats.token_ids.at(0));
}

// What a request is through with once its pictures are rows is exactly what the decoder does not read.
TEST(MemoryOptions, EveryWeightIsOfThePicturesOrOfTheText) {
  for (const char* name :
       {"smolvlm_tiles", "llava_mistral", "llava_old_names", "idefics3_granite", "text_base"}) {
    const std::string directory = test::data_path(std::string("models/") + name);
    const auto frontend = load_frontend(directory);
    const Checkpoint checkpoint = Checkpoint::open_directory(directory);
    for (const auto& [tensor, view] : checkpoint.tensors()) {
      std::set<Stage> stages;
      for (const ModuleShape& station : frontend->modules())
        for (const std::string& prefix : station.prefixes)
          if (tensor.starts_with(prefix)) stages.insert(station.stage);
      EXPECT_EQ(stages.size(), 1U) << name << " " << tensor;
      const bool text =
          tensor.find("vision") == std::string::npos && tensor.find("connector") == std::string::npos &&
          tensor.find("projector") == std::string::npos && tensor.find("newline") == std::string::npos;
      EXPECT_EQ(stages.contains(Stage::text), text) << name << " " << tensor;
    }
  }
}

}  // namespace
}  // namespace galago
