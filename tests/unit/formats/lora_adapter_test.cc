// Reading an adapter: what a sound one gives, and each thing that is refused, by name.
#include "formats/lora_adapter.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "support/fixtures.h"

namespace galago {
namespace {

using test::TempDir;
using test::Weights;
using testing::AllOf;
using testing::HasSubstr;

constexpr auto kUnsupported = ErrorCode::model_unsupported;
constexpr auto kInvalid = ErrorCode::model_invalid;

constexpr const char* kQ = "base_model.model.model.layers.0.self_attn.q_proj.";

Weights sound() {
  Weights weights;
  weights.add_random(std::string(kQ) + "lora_A.weight", {2, 8})
      .add_random(std::string(kQ) + "lora_B.weight", {6, 2});
  return weights;
}

void write(const TempDir& folder, const std::string& settings, const Weights& weights) {
  weights.checkpoint(folder);
  std::filesystem::rename(folder.file("weights.safetensors"), folder.file("adapter_model.safetensors"));
  folder.add("adapter_config.json", R"({"peft_type": "LORA", "r": 2, "lora_alpha": 6)" + settings + "}");
}

LoraAdapter read(const std::string& settings, const Weights& weights = sound()) {
  const TempDir folder;
  write(folder, settings, weights);
  return read_lora_adapter(folder.path());
}

double scale_of(const std::string& settings) {
  return read(settings).matrices.at("model.layers.0.self_attn.q_proj.weight").scale;
}

TEST(LoraAdapter, ScalesByAlphaRankAndPatterns) {
  EXPECT_DOUBLE_EQ(scale_of(""), 3);
  EXPECT_DOUBLE_EQ(scale_of(R"(, "use_rslora": true)"), 6 / std::sqrt(2));
  EXPECT_DOUBLE_EQ(scale_of(R"(, "alpha_pattern": {"q_proj": 4})"), 2);
  EXPECT_DOUBLE_EQ(scale_of(R"(, "alpha_pattern": {"v_proj": 4})"), 3);
  EXPECT_DOUBLE_EQ(scale_of(R"(, "alpha_pattern": {"^model.layers.0.self_attn.q_proj": 8})"), 4);
  EXPECT_DOUBLE_EQ(scale_of(R"(, "alpha_pattern": {"^q_proj": 8})"), 3);
}

TEST(LoraAdapter, TakesWhatItReplacesAndItsBase) {
  Weights weights = sound();
  weights.add_random("base_model.model.lm_head.weight", {4, 8});
  weights.add_random("base_model.model.model.embed_tokens.base_layer.weight", {4, 8});
  weights.add_random("base_model.model.score.modules_to_save.bias", {4});
  const LoraAdapter adapter = read(R"(, "base_model_name_or_path": "a/b", "revision": "v1")", weights);
  EXPECT_EQ(adapter.replaced.size(), 3U);
  EXPECT_TRUE(adapter.replaced.contains("lm_head.weight"));
  EXPECT_TRUE(adapter.replaced.contains("model.embed_tokens.weight"));
  EXPECT_TRUE(adapter.replaced.contains("score.bias"));
  EXPECT_EQ(adapter.base, "a/b");
  EXPECT_EQ(adapter.revision, "v1");
}

struct Refusal {
  const char* settings;
  ErrorCode code;
  const char* text;
};

TEST(LoraAdapter, SettingsThatChangeTheArithmeticAreRefusedByName) {
  const Refusal refusals[] = {
      {R"(, "peft_type": "IA3")", kUnsupported, "peft_type: got \"IA3\""},
      {R"(, "init_lora_weights": "pissa_niter_4")", kUnsupported, "which changes the base model's weights"},
      {R"(, "use_qalora": true)", kUnsupported, "use_qalora"},
      {R"(, "alora_invocation_tokens": [1])", kUnsupported, "alora_invocation_tokens"},
      {R"(, "layer_replication": [[0, 1]])", kUnsupported, "layer_replication"},
      {R"(, "target_parameters": ["experts"])", kUnsupported, "target_parameters"},
      {R"(, "trainable_token_indices": [3])", kUnsupported, "trainable_token_indices"},
      {R"(, "of_the_future": 1)", kUnsupported, "of_the_future"},
      {R"(, "alpha_pattern": {"q_(proj)+": 4})", kUnsupported, "alpha_pattern: got \"q_(proj)+\""},
      {R"(, "alpha_pattern": {"q_proj": 4, "self_attn.q_proj": 5})", kUnsupported, "two values"},
      {R"(, "lora_alpha": "x")", kInvalid, "lora_alpha"},
      {R"(, "lora_alpha": null)", kInvalid, "lora_alpha: got nothing"}};
  for (const Refusal& refusal : refusals) {
    const Error error = test::error_of([&] { read(refusal.settings); });
    EXPECT_EQ(error.code(), refusal.code) << refusal.settings;
    EXPECT_THAT(error.what(), HasSubstr(refusal.text));
  }
  EXPECT_NO_THROW(read(R"(, "target_parameters": [], "use_dora": false, "init_lora_weights": "gaussian")"));
}

TEST(LoraAdapter, TensorsThatDoNotFitAreListed) {
  Weights weights;
  weights.add_random("a.lora_A.weight", {2, 8}).add_random("b.lora_A.weight", {2, 8});
  weights.add_random("b.lora_B.weight", {6, 3}).add_random("c.lora_C.weight", {1});
  weights.add_random("d.lora_A.weight", {2, 8}).add_random("d.lora_B.weight", {6, 2});
  weights.add_random("d.lora_magnitude_vector", {5});
  const Error error = test::error_of([&] { read("", weights); });
  EXPECT_EQ(error.code(), kInvalid);
  EXPECT_THAT(error.what(),
              AllOf(HasSubstr("4 faults"), HasSubstr("a: only one of lora_A and lora_B"),
                    HasSubstr("b: lora_A [2, 8] and lora_B [6, 3]"), HasSubstr("unknown c.lora_C.weight [1]"),
                    HasSubstr("d: lora_magnitude_vector [5], expected [6]")));
}

TEST(LoraAdapter, TwoTensorsOfOneMeaningAreListed) {
  Weights weights = sound();
  weights.add_random("model.layers.0.self_attn.q_proj.lora_B.weight", {6, 2});
  weights.add_random(std::string(kQ) + "lora_magnitude_vector", {6});
  weights.add_random(std::string(kQ) + "lora_magnitude_vector.weight", {6});
  weights.add_random("base_model.model.score.bias", {4}).add_random("score.modules_to_save.bias", {4});
  weights.add_random("score.base_layer.weight", {4}).add_random("score.modules_to_save.weight", {4});
  const Error error = test::error_of([&] { read("", weights); });
  EXPECT_EQ(error.code(), kInvalid);
  EXPECT_THAT(error.what(), AllOf(HasSubstr("4 faults"), HasSubstr("q_proj.lora_B.weight: another tensor"),
                                  HasSubstr("lora_magnitude_vector.weight: another tensor"),
                                  HasSubstr("score.modules_to_save.bias: another tensor")));
}

TEST(LoraAdapter, MatricesOfAnEmbeddingAndOfALayerAreNotOfOneModule) {
  Weights weights;
  weights.add_random("a.lora_A.weight", {2, 8}).add_random("a.lora_embedding_B", {6, 2});
  weights.add_random("b.lora_embedding_A", {2, 8}).add_random("b.lora_B.weight", {6, 2});
  const Error error = test::error_of([&] { read("", weights); });
  EXPECT_EQ(error.code(), kInvalid);
  EXPECT_THAT(error.what(), AllOf(HasSubstr("2 faults"), HasSubstr("a.lora_embedding_B: of an embedding and"),
                                  HasSubstr("b.lora_embedding_A: of an embedding and")));
}

TEST(LoraAdapter, FilesThatAreMissingAreNamed) {
  const TempDir folder;
  EXPECT_EQ(test::error_of([&] { read_lora_adapter(folder.path()); }).code(), ErrorCode::not_found);
  folder.add("adapter_config.json", R"({"peft_type": "LORA"})");
  EXPECT_TRUE(is_lora_adapter(folder.path()));
  EXPECT_EQ(test::error_of([&] { read_lora_adapter(folder.path()); }).code(), ErrorCode::not_found);
  folder.add("adapter_model.bin", "x");
  EXPECT_THAT(test::error_of([&] { read_lora_adapter(folder.path()); }).what(),
              HasSubstr("adapter_model.bin"));
  folder.add("config.json", "{}");
  EXPECT_FALSE(is_lora_adapter(folder.path()));
}

}  // namespace
}  // namespace galago
