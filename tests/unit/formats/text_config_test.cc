// The text classes' settings: defaults as transformers 5.18 has them, what each class looks at, and which
// rows a window leaves.
#include <gtest/gtest.h>

#include "formats/config/config.h"
#include "formats/config/config_fields.h"
#include "support/temporary_files.h"

namespace galago {
namespace {

/// config.json of a text model with these members beside its model_type.
ModelConfig text_model(const std::string& type, const std::string& members = {}) {
  const std::string more = members.empty() ? "" : "," + members;
  return parse_text_model_config(R"({"model_type":")" + type + "\"" + more + "}", "config.json");
}

TextConfig backbone(const std::string& json) {
  const Json document = parse_json(json, "config.json");
  return read_backbone_config(JsonField(document, "config.json").at("text_config"));
}

TEST(TextModelConfig, LlamaDefaults) {
  const ModelConfig model = text_model("llama");
  const TextConfig& c = model.text;
  EXPECT_EQ(c.model_type, "llama");
  EXPECT_EQ(c.vocab_size, 32000);
  EXPECT_EQ(c.hidden_size, 4096);
  EXPECT_EQ(c.intermediate_size, 11008);
  EXPECT_EQ(c.num_hidden_layers, 32);
  EXPECT_EQ(c.num_attention_heads, 32);
  EXPECT_EQ(c.num_key_value_heads, 32);
  EXPECT_EQ(c.head_dim, 128);
  EXPECT_EQ(c.max_position_embeddings, 2048);
  EXPECT_EQ(c.rms_norm_eps, 1e-6F);
  EXPECT_EQ(c.rope.rope_theta, 10000.0F);
  EXPECT_EQ(c.embedding_multiplier, 1);
  EXPECT_EQ(c.residual_multiplier, 1);
  EXPECT_EQ(c.logits_scaling, 1);
  EXPECT_FALSE(c.attention_multiplier);
  EXPECT_FALSE(c.sliding_window);
  EXPECT_FALSE(model.tie_word_embeddings);
  EXPECT_EQ(model.image_token_id, -1);
  EXPECT_EQ(model.vision.num_hidden_layers, 0);
}

TEST(TextModelConfig, MistralDefaults) {
  const TextConfig c = text_model("mistral").text;
  EXPECT_EQ(c.model_type, "mistral");
  EXPECT_EQ(c.intermediate_size, 14336);
  EXPECT_EQ(c.num_attention_heads, 32);
  EXPECT_EQ(c.num_key_value_heads, 8);
  EXPECT_EQ(c.head_dim, 128);
  EXPECT_EQ(c.max_position_embeddings, 131072);
  EXPECT_EQ(c.rms_norm_eps, 1e-6F);
  EXPECT_EQ(c.sliding_window, 4096);
}

TEST(TextModelConfig, AWindowOfNullIsNoneAnAbsentOneIsTheDefault) {
  EXPECT_FALSE(text_model("mistral", R"("sliding_window":null)").text.sliding_window);
  EXPECT_EQ(text_model("mistral", R"("sliding_window":7)").text.sliding_window, 7);
  EXPECT_EQ(text_model("mistral").text.sliding_window, 4096);
  EXPECT_FALSE(text_model("llama", R"("sliding_window":null)").text.sliding_window);
}

TEST(TextModelConfig, MistralsHeadsMayBeWiderThanTheirShare) {
  const TextConfig c = text_model("mistral", R"("hidden_size":5120,"head_dim":128)").text;
  EXPECT_EQ(c.head_dim, 128);
  EXPECT_EQ(text_model("mistral", R"("hidden_size":5120,"head_dim":null)").text.head_dim, 160);
}

TEST(TextModelConfig, MistralHasNoBiasesWhateverTheFileSays) {
  const TextConfig c = text_model("mistral", R"("attention_bias":true,"mlp_bias":true)").text;
  EXPECT_FALSE(c.attention_bias);
  EXPECT_FALSE(c.mlp_bias);
  EXPECT_TRUE(text_model("llama", R"("attention_bias":true)").text.attention_bias);
  EXPECT_TRUE(text_model("granite", R"("mlp_bias":true)").text.mlp_bias);
}

TEST(TextModelConfig, GraniteDefaultsAreOneEach) {
  const TextConfig c = text_model("granite").text;
  EXPECT_EQ(c.model_type, "granite");
  EXPECT_EQ(c.intermediate_size, 11008);
  EXPECT_EQ(c.num_key_value_heads, 32);
  EXPECT_EQ(c.embedding_multiplier, 1);
  EXPECT_EQ(c.residual_multiplier, 1);
  EXPECT_EQ(c.logits_scaling, 1);
  EXPECT_EQ(c.attention_multiplier, 1.0F);  // not 1 / sqrt(head_dim)
}

TEST(TextModelConfig, ReadsGranites2B) {
  const ModelConfig model = text_model("granite", R"("hidden_size":2048,"intermediate_size":8192,
    "num_attention_heads":32,"num_key_value_heads":8,"num_hidden_layers":40,"vocab_size":49156,"rope_theta":300000,
    "embedding_multiplier":12.0,"logits_scaling":8,"residual_multiplier":0.22,"attention_multiplier":0.015625,
    "tie_word_embeddings":true,"torch_dtype":"bfloat16","architectures":["GraniteForCausalLM"])");
  EXPECT_EQ(model.text.embedding_multiplier, 12);
  EXPECT_EQ(model.text.logits_scaling, 8);
  EXPECT_EQ(model.text.residual_multiplier, 0.22F);
  EXPECT_EQ(model.text.attention_multiplier, 0.015625F);
  EXPECT_EQ(model.text.head_dim, 64);
  EXPECT_EQ(model.text.rope.rope_theta, 300000.0F);
  EXPECT_TRUE(model.tie_word_embeddings);
  EXPECT_EQ(model.dtype, "bfloat16");
}

TEST(TextModelConfig, OtherClassesDoNotLookAtGranitesMultipliers) {
  for (const char* type : {"llama", "mistral"}) {
    const TextConfig c = text_model(type, R"("embedding_multiplier":12,"attention_multiplier":3)").text;
    EXPECT_EQ(c.embedding_multiplier, 1) << type;
    EXPECT_FALSE(c.attention_multiplier) << type;
  }
}

TEST(TextModelConfig, BothSpellingsOfRope) {
  for (const char* type : {"llama", "mistral", "granite"}) {
    EXPECT_EQ(text_model(type, R"("rope_theta":5e5)").text.rope.rope_theta, 5e5F);
    EXPECT_EQ(text_model(type, R"("rope_parameters":{"rope_theta":77.5})").text.rope.rope_theta, 77.5F);
    const RopeConfig scaled =
        text_model(type, R"("rope_theta":5e5,"rope_scaling":{"rope_type":"llama3","factor":32.0,
          "low_freq_factor":1.0,"high_freq_factor":4.0,"original_max_position_embeddings":8192})")
            .text.rope;
    EXPECT_EQ(scaled.rope_type, "llama3");
    EXPECT_EQ(scaled.factor, 32);
    EXPECT_EQ(scaled.rope_theta, 5e5F);
  }
}

TEST(TextModelConfig, AWindowOfLlamaIsOfRowsBehindThePrompt) {
  for (const char* type : {"llama", "granite"}) {
    const TextConfig c = text_model(type, R"("sliding_window":8)").text;
    EXPECT_EQ(c.sliding_window, 8);
    EXPECT_TRUE(c.prompt_sees_all);
    EXPECT_FALSE(
        text_model(type, R"("sliding_window":8,"layer_types":["full_attention"])").text.sliding_window);
  }
  EXPECT_FALSE(text_model("mistral", R"("sliding_window":8)").text.prompt_sees_all);
}

TEST(TextModelConfig, WhatScalingImplies) {
  const auto rope = [](const std::string& members) {
    return text_model("llama",
                      R"("head_dim":4,"max_position_embeddings":1024,"rope_scaling":{)" + members + "}")
        .text.rope;
  };
  EXPECT_EQ(rope(R"("type":"dynamic","factor":2)").rope_type, "default");
  // 0.1 ln 8 + 1, and the ratio of two such numbers.
  EXPECT_FLOAT_EQ(rope(R"("rope_type":"yarn","factor":8)").attention_scaling, 1.2079442F);
  EXPECT_FLOAT_EQ(
      rope(R"("rope_type":"yarn","factor":8,"mscale":0.7,"mscale_all_dim":0.4)").attention_scaling,
      1.0575928F);
  EXPECT_EQ(rope(R"("rope_type":"yarn","original_max_position_embeddings":256)").factor, 4);
  EXPECT_TRUE(rope(R"("rope_type":"yarn","factor":8)").truncate);
  EXPECT_FALSE(rope(R"("rope_type":"yarn","factor":8,"truncate":null)").truncate);
  const std::string lists = R"("rope_type":"longrope","short_factor":[1,2],"long_factor":[1,3])";
  // sqrt(1 + ln 4 / ln 256)
  EXPECT_FLOAT_EQ(rope(lists + R"(,"original_max_position_embeddings":256)").attention_scaling, 1.118034F);
  EXPECT_EQ(rope(lists + R"(,"attention_factor":1.5)").attention_scaling, 1.5F);
  EXPECT_EQ(rope(lists).long_divisors, (std::vector<float>{1, 3}));
  EXPECT_TRUE(
      rope(R"("rope_type":"longrope","short_factor":[2,2],"long_factor":[2,2])").long_divisors.empty());
}

TEST(TextModelConfig, LayerTypesThatSayWhatTheClassDoesAnyway) {
  EXPECT_NO_THROW(text_model("llama", R"("layer_types":["full_attention","full_attention"])"));
  EXPECT_NO_THROW(text_model("mistral", R"("layer_types":["sliding_attention"])"));
  EXPECT_NO_THROW(text_model("mistral", R"("sliding_window":null,"layer_types":["full_attention"])"));
}

TEST(TextModelConfig, ABackboneInsideAnotherModelIsChosenByItsOwnModelType) {
  EXPECT_EQ(backbone(R"({"text_config":{}})").model_type, "llama");
  EXPECT_EQ(backbone(R"({"text_config":{"model_type":"mistral"}})").sliding_window, 4096);
  EXPECT_EQ(
      backbone(R"({"text_config":{"model_type":"granite","residual_multiplier":0.5}})").residual_multiplier,
      0.5F);
}

}  // namespace
}  // namespace galago
