// Which files of a repository are fetched.
#include "hub/selection.h"

#include <gmock/gmock.h>

#include "galago/error.h"

namespace galago::hub::test {
namespace {

using testing::ElementsAre;
using Paths = std::vector<std::string>;

Paths selected(const Paths& paths, const PullOptions& options = {}) {
  return select_files(paths, "", options, "org/x").paths;
}

TEST(HubSelection, TakesWhatTransformersWouldLoad) {
  const Paths others = {"README.md",        "pytorch_model.bin", "onnx/model.onnx", "onnx/config.json",
                        "runs/events.json", "config.json",       "tokenizer.json",  "chat_template.jinja",
                        "results.json",     "merges.txt"};
  const auto with = [&](Paths more) {
    more.insert(more.end(), others.begin(), others.end());
    return selected(more);
  };
  EXPECT_THAT(
      with({"model.safetensors", "model.safetensors.index.json", "model-00001-of-00001.safetensors"}),
      ElementsAre("chat_template.jinja", "config.json", "merges.txt", "model.safetensors", "tokenizer.json"));
  EXPECT_THAT(
      with({"model.safetensors.index.json", "model-00001-of-00001.safetensors", "consolidated.safetensors"}),
      ElementsAre("chat_template.jinja", "config.json", "merges.txt", "model-00001-of-00001.safetensors",
                  "model.safetensors.index.json", "tokenizer.json"));
  EXPECT_THAT(selected({"adapter_config.json", "adapter_model.safetensors", "adapter_model.bin"}),
              ElementsAre("adapter_config.json", "adapter_model.safetensors"));
}

TEST(HubSelection, AModelWithoutWeightsIsRefused) {
  for (const Paths& paths : {Paths{"config.json", "pytorch_model.bin"}, Paths{}, Paths{"mmproj-a.gguf"}}) {
    try {
      selected(paths);
      ADD_FAILURE() << "no error";
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), ErrorCode::model_unsupported);
    }
  }
}

TEST(HubSelection, PatternsAreThoseOfPython) {
  EXPECT_TRUE(fits_pattern("a/b.json", "*.json")) << "* crosses folders";
  EXPECT_TRUE(fits_pattern("onnx/a/b", "onnx/"));
  EXPECT_TRUE(fits_pattern("a1", "a[0-9]"));
  EXPECT_TRUE(fits_pattern("ab", "a[!0-9]"));
  EXPECT_TRUE(fits_pattern(".hidden", "*"));
  EXPECT_FALSE(fits_pattern("a.jsonl", "*.json"));
  EXPECT_THAT(selected({"a.json", "b.txt", "c/d.json"}, {.include = {"*.json"}, .exclude = {"c/*"}}),
              ElementsAre("a.json"));
  EXPECT_THAT(selected({"a.bin", "b"}, {.all = true}), ElementsAre("a.bin", "b"));
}

std::string model_of(const Paths& paths, std::string_view wanted = "") {
  const auto choice = choose_gguf(paths, wanted);
  return choice ? choice->model : "";
}

TEST(HubSelection, AQuantisationIsAWordOfTheName) {
  const Paths paths = {"x-IQ4_0.gguf", "x-Q4_0.gguf",     "x-Q4_K_M.gguf", "x.Q4_K_S.gguf",
                       "x-Q8_0.gguf",  "Q5_K_M/x-a.gguf", "imatrix.gguf",  "mmproj-x-Q8_0.gguf"};
  EXPECT_EQ(model_of(paths), "x-Q4_K_M.gguf");
  EXPECT_EQ(model_of(paths, "q4_0"), "x-Q4_0.gguf");
  EXPECT_EQ(model_of(paths, "Q4_K_S"), "x.Q4_K_S.gguf");
  EXPECT_EQ(model_of(paths, "Q4_K"), "") << "not the beginning of a word";
  EXPECT_EQ(model_of(paths, "Q5_K_M"), "Q5_K_M/x-a.gguf");
  EXPECT_EQ(model_of(paths, "X-Q8_0.GGUF"), "x-Q8_0.gguf");
  EXPECT_EQ(model_of({"b.gguf", "a.gguf"}), "a.gguf") << "the first when there is none of the usual";
  EXPECT_EQ(model_of({"a-Q8_0.gguf", "a-BF16.gguf"}), "a-Q8_0.gguf");
  EXPECT_EQ(model_of({"mmproj.gguf"}), "");
}

TEST(HubSelection, PartsAndEyesComeAlong) {
  const Paths paths = {"m-Q8_0-00001-of-00002.gguf", "m-Q8_0-00002-of-00002.gguf",
                       "m-F16-00002-of-00002.gguf",  "mmproj-m-F32.gguf",
                       "mmproj-m-f16.gguf",          "sub/mmproj-F16.gguf"};
  const auto choice = choose_gguf(paths, "Q8_0");
  ASSERT_TRUE(choice);
  EXPECT_EQ(choice->model, "m-Q8_0-00001-of-00002.gguf");
  EXPECT_THAT(choice->files,
              ElementsAre("m-Q8_0-00001-of-00002.gguf", "m-Q8_0-00002-of-00002.gguf", "mmproj-m-f16.gguf"));
  EXPECT_TRUE(has_all_parts(*choice));
  EXPECT_FALSE(
      has_all_parts({.model = "m-00001-of-00003.gguf", .files = {"m-00001-of-00003.gguf", "mmproj.gguf"}}));
  EXPECT_TRUE(has_all_parts({.model = "m.gguf", .files = {"m.gguf"}}));
}

}  // namespace
}  // namespace galago::hub::test
