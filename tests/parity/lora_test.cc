// Tiny checkpoints with LoRA adapters by peft against transformers' goldens with these adapters active.
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "inspect/verify.h"
#include "kernels/kernels.h"
#include "models/registry.h"

namespace galago {
namespace {

struct Case {
  const char* golden;
  const char* model;
  std::vector<std::pair<const char*, double>> adapters;
  int stations;
};

class Lora : public testing::TestWithParam<Case> {};

TEST_P(Lora, AgreesWithPeft) {
  const Case& test = GetParam();
  const std::string data = std::string(GALAGO_TEST_DATA) + "/";
  ModelOptions options;
  for (const auto& [name, scale] : test.adapters) options.lora.push_back({data + "adapters/" + name, scale});
  options.resizer = pillow_resizer(golden_pillow(data + "goldens/" + test.golden));
  const auto frontend = load_frontend(data + "models/" + test.model, options);
  const Checkpoint checkpoint = frontend->files().checkpoint();
  const auto engine = frontend->load_engine(checkpoint);
  const auto results = verify(*frontend, *engine, data + "goldens/" + test.golden);
  EXPECT_EQ(static_cast<int>(results.size()), test.stations);
  for (const StationResult& r : results)
    EXPECT_TRUE(r.holds) << r.station << ": max abs " << r.max_abs << ", bound " << r.limit << " "
                         << r.mismatch;
}

INSTANTIATE_TEST_SUITE_P(
    Goldens, Lora,
    testing::Values(Case{"lora_smolvlm", "smolvlm_tiles", {{"smolvlm", 1}}, 11},
                    Case{"lora_bias", "smolvlm_tiles", {{"lora_bias", 1}}, 11},
                    Case{"lora_table", "text_smollm2", {{"smollm2_table", 1}}, 4},
                    Case{"lora_two", "text_smollm2", {{"smollm2_all", 0.5}, {"smollm2_table", 1}}, 4},
                    Case{"lora_two", "gguf_smollm2", {{"smollm2_all", 0.5}, {"smollm2_table", 1}}, 4},
                    Case{"lora_smolvlm", "gguf_smolvlm", {{"smolvlm", 1}}, 11},
                    Case{"lora_dora", "text_mistral", {{"mistral_dora", 1}}, 4}),
    [](const auto& row) { return std::string(row.param.golden) + "_" + row.param.model; });

}  // namespace
}  // namespace galago
