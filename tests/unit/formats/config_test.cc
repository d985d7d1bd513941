// Typed configs: each key in both spellings, each default as transformers 5.18 has it, and which of two wins.
#include "formats/config/config.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "formats/config/siglip_config.h"
#include "formats/json.h"
#include "support/temporary_files.h"

namespace galago {
namespace {

using test::error_of;
using test::TemporaryDirectory;
using testing::ElementsAre;
using testing::HasSubstr;

Idefics3Config model(const std::string& json) { return parse_idefics3_config(json, "config.json"); }

/// A config with this inside text_config.
Idefics3Config with_text(const std::string& members) {
  return model(R"({"model_type":"idefics3","text_config":{)" + members + "}}");
}

TEST(ModelConfig, ReadsSmolVlm256M) {
  const Idefics3Config config = model(R"({
    "architectures": ["Idefics3ForConditionalGeneration"], "image_token_id": 49190, "model_type": "idefics3",
    "scale_factor": 4, "tie_word_embeddings": false, "torch_dtype": "bfloat16", "vocab_size": 49280,
    "text_config": {"head_dim": 64, "hidden_size": 576, "intermediate_size": 1536, "max_position_embeddings": 8192,
      "model_type": "llama", "num_attention_heads": 9, "num_hidden_layers": 30, "num_key_value_heads": 3,
      "pixel_shuffle_factor": 4, "rms_norm_eps": 1e-05, "rope_scaling": null, "rope_theta": 100000,
      "vocab_size": 49280},
    "vision_config": {"hidden_size": 768, "image_size": 512, "max_image_size": {"longest_edge": 512},
      "model_type": "idefics3", "num_attention_heads": 12, "num_hidden_layers": 12, "patch_size": 16,
      "intermediate_size": 3072, "use_base_siglip": true}})");
  EXPECT_EQ(config.model_type, "idefics3");
  EXPECT_THAT(config.architectures, ElementsAre("Idefics3ForConditionalGeneration"));
  EXPECT_EQ(config.image_token_id, 49190);
  EXPECT_EQ(config.scale_factor, 4);
  EXPECT_FALSE(config.tie_word_embeddings);
  EXPECT_EQ(config.dtype, "bfloat16");
  EXPECT_EQ(config.vision.hidden_size, 768);
  EXPECT_EQ(config.vision.intermediate_size, 3072);
  EXPECT_EQ(config.vision.num_hidden_layers, 12);
  EXPECT_EQ(config.vision.num_attention_heads, 12);
  EXPECT_EQ(config.vision.patches_per_side(), 32);
  EXPECT_EQ(config.vision.layer_norm_eps, 1e-6F);
  EXPECT_EQ(config.vision.hidden_act, "gelu_pytorch_tanh");
  EXPECT_EQ(config.text.model_type, "llama");
  EXPECT_EQ(config.text.hidden_size, 576);
  EXPECT_EQ(config.text.intermediate_size, 1536);
  EXPECT_EQ(config.text.num_hidden_layers, 30);
  EXPECT_EQ(config.text.num_attention_heads, 9);
  EXPECT_EQ(config.text.num_key_value_heads, 3);
  EXPECT_EQ(config.text.head_dim, 64);
  EXPECT_EQ(config.text.vocab_size, 49280);
  EXPECT_EQ(config.text.max_position_embeddings, 8192);
  EXPECT_EQ(config.text.rms_norm_eps, 1e-5F);
  EXPECT_EQ(config.text.rope.rope_theta, 100000.0F);
  EXPECT_EQ(config.text.rope.rope_type, "default");
}

TEST(ModelConfig, DefaultsAreThoseOfTransformers) {
  const Idefics3Config config = model(R"({"model_type":"idefics3","vision_config":{},"text_config":{}})");
  EXPECT_EQ(config.scale_factor, 2);
  EXPECT_FALSE(config.tie_word_embeddings);
  EXPECT_EQ(config.dtype, "");
  EXPECT_EQ(config.vision.hidden_size, 1152);
  EXPECT_EQ(config.vision.intermediate_size, 3072);
  EXPECT_EQ(config.vision.num_hidden_layers, 12);
  EXPECT_EQ(config.vision.num_attention_heads, 16);
  EXPECT_EQ(config.vision.num_channels, 3);
  EXPECT_EQ(config.vision.image_size, 224);
  EXPECT_EQ(config.vision.patch_size, 32);
  EXPECT_EQ(config.text.model_type, "llama");
  EXPECT_EQ(config.text.vocab_size, 32000);
  EXPECT_EQ(config.text.hidden_size, 4096);
  EXPECT_EQ(config.text.intermediate_size, 11008);
  EXPECT_EQ(config.text.num_hidden_layers, 32);
  EXPECT_EQ(config.text.num_attention_heads, 32);
  EXPECT_EQ(config.text.num_key_value_heads, 32);
  EXPECT_EQ(config.text.head_dim, 128);
  EXPECT_EQ(config.text.max_position_embeddings, 2048);
  EXPECT_EQ(config.text.rms_norm_eps, 1e-6F);
  EXPECT_EQ(config.text.hidden_act, "silu");
  EXPECT_EQ(config.text.rope.rope_theta, 10000.0F);
  EXPECT_FALSE(config.text.attention_bias);
  EXPECT_FALSE(config.text.mlp_bias);
  EXPECT_EQ(config.image_token_id, -1);  // 128257 is no token of this vocabulary
}

TEST(ModelConfig, AnAbsentTextConfigHasAnotherEps) {
  EXPECT_EQ(model(R"({"model_type":"idefics3"})").text.rms_norm_eps, 1e-5F);
  EXPECT_EQ(model(R"({"model_type":"idefics3","text_config":null})").text.rms_norm_eps, 1e-5F);
}

TEST(ModelConfig, DerivedDefaultsFollowTheOtherKeys) {
  const Idefics3Config config = with_text(R"("hidden_size":96,"num_attention_heads":6)");
  EXPECT_EQ(config.text.num_key_value_heads, 6);
  EXPECT_EQ(config.text.head_dim, 16);
  EXPECT_EQ(with_text(R"("hidden_size":96,"num_attention_heads":6,"head_dim":20)").text.head_dim, 20);
}

TEST(ModelConfig, BothSpellingsOfTheImageToken) {
  EXPECT_EQ(model(R"({"model_type":"x","image_token_index":7})").image_token_id, 7);
  EXPECT_EQ(model(R"({"model_type":"x","image_token_id":8,"image_token_index":7})").image_token_id, 8);
  EXPECT_EQ(with_text(R"("vocab_size":128259)").image_token_id, 128257);
}

TEST(ModelConfig, ThreePlacesOfTheScaleFactor) {
  EXPECT_EQ(
      model(R"({"model_type":"x","scale_factor":3,"text_config":{"pixel_shuffle_factor":4}})").scale_factor,
      3);
  EXPECT_EQ(model(R"({"model_type":"x","pixel_shuffle_factor":5})").scale_factor, 5);
  EXPECT_EQ(with_text(R"("pixel_shuffle_factor":4)").scale_factor, 4);
}

TEST(ModelConfig, TheTopDecidesWhetherTheHeadIsTied) {
  EXPECT_TRUE(model(R"({"model_type":"x","tie_word_embeddings":true})").tie_word_embeddings);
  EXPECT_FALSE(with_text(R"("tie_word_embeddings":true)").tie_word_embeddings);
  EXPECT_FALSE(
      model(R"({"model_type":"x","tie_word_embeddings":false,"text_config":{"tie_word_embeddings":true}})")
          .tie_word_embeddings);
}

TEST(ModelConfig, BothSpellingsOfRope) {
  EXPECT_EQ(with_text(R"("rope_theta":5e5)").text.rope.rope_theta, 5e5F);
  EXPECT_EQ(with_text(R"("rope_parameters":{"rope_theta":77.5,"rope_type":"default"})").text.rope.rope_theta,
            77.5F);
  EXPECT_EQ(with_text(R"("rope_theta":1e4,"rope_parameters":{"rope_theta":77})").text.rope.rope_theta, 77.0F);
  // rope_scaling, where it is not empty, goes before rope_parameters, whose theta is then not looked at.
  const RopeConfig both =
      with_text(
          R"("rope_theta":9e3,"rope_scaling":{"type":"linear","factor":2},"rope_parameters":{"rope_theta":77,"rope_type":"default"})")
          .text.rope;
  EXPECT_EQ(both.rope_type, "linear");
  EXPECT_EQ(both.factor, 2.0F);
  EXPECT_EQ(both.rope_theta, 9000.0F);
  EXPECT_EQ(with_text(R"("rope_scaling":{},"rope_parameters":{"rope_theta":77})").text.rope.rope_theta,
            77.0F);
}

TEST(ModelConfig, ReadsLlama3Rope) {
  const char* kRope = R"("rope_type":"llama3","factor":8.0,"low_freq_factor":1.0,"high_freq_factor":4.0)";
  const RopeConfig rope =
      with_text(std::string(R"("max_position_embeddings":131072,"rope_theta":500000.0,"rope_scaling":{)") +
                kRope + R"(,"original_max_position_embeddings":8192})")
          .text.rope;
  EXPECT_EQ(rope.rope_type, "llama3");
  EXPECT_EQ(rope.rope_theta, 500000.0F);
  EXPECT_EQ(rope.factor, 8.0F);
  EXPECT_EQ(rope.low_freq_factor, 1.0F);
  EXPECT_EQ(rope.high_freq_factor, 4.0F);
  EXPECT_EQ(rope.original_max_position_embeddings, 8192);
  const RopeConfig without =
      with_text(std::string(R"("max_position_embeddings":1024,"rope_scaling":{)") + kRope + "}").text.rope;
  EXPECT_EQ(without.original_max_position_embeddings, 1024);
}

TEST(ModelConfig, ReadsSizesGivenAsPairs) {
  EXPECT_EQ(model(R"({"model_type":"x","vision_config":{"image_size":[64,64],"patch_size":[8,8]}})")
                .vision.patches_per_side(),
            8);
}

TEST(ModelConfig, IgnoresKeysItDoesNotKnow) {
  EXPECT_EQ(model(R"({"model_type":"x","perceiver_config":{"hidden_act":5},"future":[{}]})").model_type, "x");
}

TEST(PreprocessorConfig, ReadsAndDefaults) {
  const PreprocessorConfig config = parse_preprocessor_config(
      R"({"do_convert_rgb":true,"do_image_splitting":false,"image_mean":[0.1,0.2,0.3],"image_std":0.25,
          "max_image_size":{"longest_edge":512},"size":{"longest_edge":2048},"resample":3,
          "rescale_factor":0.00392156862745098,"do_pad":false})",
      "p");
  EXPECT_FALSE(config.do_image_splitting);
  EXPECT_FALSE(config.do_pad);
  EXPECT_EQ(config.size_longest_edge, 2048);
  EXPECT_EQ(config.max_image_size_longest_edge, 512);
  EXPECT_EQ(config.resample, Resample::bicubic);
  EXPECT_THAT(config.image_mean, ElementsAre(0.1, 0.2, 0.3));
  EXPECT_THAT(config.image_std, ElementsAre(0.25, 0.25, 0.25));

  const PreprocessorConfig defaults = parse_preprocessor_config("{}", "p");
  EXPECT_TRUE(defaults.do_convert_rgb && defaults.do_resize && defaults.do_image_splitting &&
              defaults.do_rescale && defaults.do_normalize && defaults.do_pad);
  EXPECT_EQ(defaults.size_longest_edge, 1456);
  EXPECT_EQ(defaults.max_image_size_longest_edge, 364);
  EXPECT_EQ(defaults.resample, Resample::lanczos);
  EXPECT_EQ(defaults.rescale_factor, 1.0 / 255);
  EXPECT_THAT(defaults.image_mean, ElementsAre(0.5, 0.5, 0.5));
  EXPECT_THAT(defaults.image_std, ElementsAre(0.5, 0.5, 0.5));
}

// As transformers 5.18 takes null: a switch is off, and a value that no step needs may be none.
TEST(PreprocessorConfig, NullTurnsASwitchOff) {
  const PreprocessorConfig off = parse_preprocessor_config(
      R"({"do_convert_rgb":null,"do_resize":null,"do_image_splitting":null,"do_rescale":null,
          "do_normalize":null,"do_pad":null,"size":null,"rescale_factor":null,"image_mean":null,
          "image_std":null})",
      "p");
  EXPECT_FALSE(off.do_convert_rgb || off.do_resize || off.do_image_splitting || off.do_rescale ||
               off.do_normalize || off.do_pad);
}

TEST(PreprocessorConfig, ASizeMayBeOfBothEdges) {
  const PreprocessorConfig both = parse_preprocessor_config(R"({"size":{"height":100,"width":200}})", "p");
  EXPECT_EQ(both.size_longest_edge, 0);
  EXPECT_EQ(both.size_height, 100);
  EXPECT_EQ(both.size_width, 200);
  const PreprocessorConfig square = parse_preprocessor_config(R"({"size":384})", "p");
  EXPECT_EQ(square.size_longest_edge, 0);
  EXPECT_EQ(square.size_height, 384);
  EXPECT_EQ(square.size_width, 384);
}

TEST(PreprocessorConfig, KnowsPillowsFilters) {
  for (int number = 0; number < 6; ++number)
    EXPECT_EQ(parse_preprocessor_config("{\"resample\":" + std::to_string(number) + "}", "p").resample,
              static_cast<Resample>(number));
}

TEST(PillowResizer, IsOfTheMajorVersion) {
  EXPECT_EQ(pillow_resizer(13), Resizer::pillow13);
  EXPECT_EQ(pillow_resizer(12), Resizer::pillow12);
  EXPECT_THROW(pillow_resizer(11), Error);
}

TEST(ProcessorConfig, ReadsTheSpanLength) {
  EXPECT_EQ(parse_processor_config(R"({"image_seq_len":64,"processor_class":"X"})", "p").image_seq_len, 64);
  EXPECT_FALSE(parse_processor_config("{}", "p").image_seq_len);
}

TEST(GenerationConfig, ReadsOneOrSeveralEos) {
  const char* kModel = R"({"eos_token_id":5})";
  EXPECT_THAT(
      parse_generation_config(R"({"eos_token_id":49279,"pad_token_id":2,"bos_token_id":0})", kModel, "g")
          .eos_token_id,
      ElementsAre(49279));
  const GenerationConfig several =
      parse_generation_config(R"({"eos_token_id":[7,8],"pad_token_id":-1})", kModel, "g");
  EXPECT_THAT(several.eos_token_id, ElementsAre(7, 8));
  EXPECT_FALSE(several.pad_token_id);
  EXPECT_FALSE(several.bos_token_id);
}

TEST(GenerationConfig, FallsBackToConfigJsonOnlyWithoutAFile) {
  const char* kModel =
      R"({"pad_token_id":3,"text_config":{"eos_token_id":[6],"pad_token_id":4,"bos_token_id":1}})";
  const GenerationConfig absent = parse_generation_config(std::nullopt, kModel, "g");
  EXPECT_THAT(absent.eos_token_id, ElementsAre(6));
  EXPECT_EQ(absent.pad_token_id, 3);
  EXPECT_EQ(absent.bos_token_id, 1);
  EXPECT_TRUE(parse_generation_config("{}", kModel, "g").eos_token_id.empty());
  EXPECT_THAT(parse_generation_config(std::nullopt, R"({"eos_token_id":9})", "g").eos_token_id,
              ElementsAre(9));
}

TEST(GenerationConfig, ReadsWhatChangesGreedyAnswers) {
  const GenerationConfig config = parse_generation_config(
      R"({"eos_token_id":[7],"bad_words_ids":[[7],[3],[4,5]],"suppress_tokens":[8,9],"repetition_penalty":1.25,
          "do_sample":true,"temperature":0.6,"top_h":0.5,"max_length":20,"num_beams":1,"min_length":4,
          "no_repeat_ngram_size":3,"min_new_tokens":2,"begin_suppress_tokens":[1],
          "sequence_bias":[[[1,2],-2.5]],"exponential_decay_length_penalty":[3,1.5]})",
      "{}", "g");
  const GenerationRules& rules = config.rules;
  EXPECT_THAT(rules.bad_words, ElementsAre(ElementsAre(7), ElementsAre(3), ElementsAre(4, 5)));
  EXPECT_THAT(rules.suppress_tokens, ElementsAre(8, 9));
  EXPECT_THAT(rules.begin_suppress_tokens, ElementsAre(1));
  EXPECT_EQ(rules.repetition_penalty, 1.25);
  EXPECT_EQ(rules.no_repeat_ngram_size, 3);
  EXPECT_EQ(rules.min_length, 4);
  EXPECT_EQ(rules.min_new_tokens, 2);
  ASSERT_EQ(rules.sequence_bias.size(), 1U);
  EXPECT_THAT(rules.sequence_bias[0].ids, ElementsAre(1, 2));
  EXPECT_EQ(rules.sequence_bias[0].bias, -2.5);
  ASSERT_TRUE(rules.exponential_decay);
  EXPECT_EQ(rules.exponential_decay->start, 3);
  EXPECT_EQ(rules.exponential_decay->factor, 1.5);
  EXPECT_THAT(config.sampling, ElementsAre("do_sample", "temperature 0.6", "top_h 0.5"));
  EXPECT_TRUE(parse_generation_config(R"({"temperature":0.6})", "{}", "g").sampling.empty());
}

TEST(GenerationConfig, WithoutAFileTheKeysOfConfigJsonHold) {
  const auto read = [](const std::string& model) {
    return parse_generation_config(std::nullopt, model, "c");
  };
  EXPECT_EQ(read(R"({"repetition_penalty":1.9})").rules.repetition_penalty, 1.9);
  const GenerationConfig both = read(R"({"suppress_tokens":[8],"text_config":{"bad_words_ids":[[3]]}})");
  EXPECT_THAT(both.rules.suppress_tokens, ElementsAre(8));
  EXPECT_THAT(both.rules.bad_words, ElementsAre(ElementsAre(3)));
  // The top goes first, also with the value that changes nothing; null says nothing.
  EXPECT_EQ(
      read(R"({"repetition_penalty":1.0,"text_config":{"repetition_penalty":1.3}})").rules.repetition_penalty,
      1);
  EXPECT_EQ(read(R"({"repetition_penalty":null,"text_config":{"repetition_penalty":1.3}})")
                .rules.repetition_penalty,
            1.3);
  const GenerationConfig ids = read(R"({"eos_token_id":null,"text_config":{"eos_token_id":11}})");
  EXPECT_THAT(ids.eos_token_id, ElementsAre(11));
  EXPECT_THAT(read(R"({"eos_token_id":9,"text_config":{"eos_token_id":11}})").eos_token_id, ElementsAre(9));
  // No class's default counts, and a generation_config.json is the whole truth.
  EXPECT_TRUE(read(R"({"text_config":{}})").eos_token_id.empty());
  EXPECT_EQ(parse_generation_config("{}", R"({"repetition_penalty":1.9,"num_beams":2})", "g")
                .rules.repetition_penalty,
            1);
}

/// Keys with a value that changes answers, and with those that do not.
TEST(GenerationConfig, RefusesTheSameKeysInConfigJson) {
  for (const char* member :
       {R"("num_beams":2)", R"("guidance_scale":2.0)", R"("watermarking_config":{"bias":2.0})",
        R"("encoder_repetition_penalty":1.5)", R"("forced_eos_token_id":2)", R"("penalty_alpha":0.5)",
        R"("dola_layers":"low")", R"("token_healing":true)", R"("force_words_ids":[[4]])",
        R"("constraints":[1])", R"("stop_strings":["a"])", R"("max_time":1.0)", R"("num_return_sequences":2)",
        R"("cache_implementation":"quantized")", R"("force_bos_token_to_be_generated":true)",
        R"("encoder_no_repeat_ngram_size":2)"}) {
    for (const bool nested : {false, true}) {
      const std::string own = std::string("{") + member + "}";
      const std::string model = nested ? R"({"text_config":)" + own + "}" : own;
      const Error error = error_of([&] { parse_generation_config(std::nullopt, model, "config.json"); });
      EXPECT_EQ(error.code(), ErrorCode::model_unsupported) << model;
      const std::string key = std::string(member).substr(1, std::string(member).find(':') - 2);
      EXPECT_EQ(error.where(), std::string("config.json: ") + (nested ? "text_config." : "") + key);
      EXPECT_EQ(error_of([&] { parse_generation_config(own, "{}", "g"); }).code(),
                ErrorCode::model_unsupported);
    }
  }
  // What transformers 4 wrote into every config.json.
  EXPECT_NO_THROW(parse_generation_config(std::nullopt, R"({"num_beams":1,"num_beam_groups":1,"min_length":0,
    "diversity_penalty":0.0,"encoder_no_repeat_ngram_size":0,"no_repeat_ngram_size":0,"num_return_sequences":1,
    "repetition_penalty":1.0,"bad_words_ids":null,"forced_bos_token_id":null,"suppress_tokens":null,
    "length_penalty":1.0,"early_stopping":false,"top_k":50,"typical_p":1.0,"remove_invalid_values":false,
    "token_healing":false,"penalty_alpha":0,"cache_implementation":"static"})",
                                          "c"));
}

TEST(GenerationConfig, RefusesRulesThatItDoesNotRun) {
  for (const char* member :
       {R"("forced_bos_token_id":1)", R"("forced_eos_token_id":1)", R"("guidance_scale":1.5)",
        R"("num_beams":4)", R"("encoder_repetition_penalty":2)", R"("watermarking_config":{})"}) {
    const std::string json = std::string("{") + member + "}";
    const Error error = error_of([&] { parse_generation_config(json, "{}", "g"); });
    EXPECT_EQ(error.code(), ErrorCode::model_unsupported) << member;
  }
  for (const char* member : {R"("bad_words_ids":[[]])", R"("bad_words_ids":[["a"]])",
                             R"("suppress_tokens":"x")", R"("repetition_penalty":0)"}) {
    const std::string json = std::string("{") + member + "}";
    EXPECT_EQ(error_of([&] { parse_generation_config(json, "{}", "g"); }).code(), ErrorCode::model_invalid)
        << member;
  }
}

TEST(ModelConfig, NoFamilyTakesWeightsOfAnUnnamedMethod) {
  const std::string json = R"({"model_type":"x","quantization_config":{"bits":4}})";
  EXPECT_EQ(error_of([&] { parse_idefics3_config(json, "c"); }).code(), ErrorCode::model_unsupported);
  EXPECT_EQ(error_of([&] { parse_siglip_config(json, "c"); }).code(), ErrorCode::model_unsupported);
}

TEST(Idefics3Config, TheTextModelIsChosenByItsModelType) {
  const Idefics3Config granite = with_text(
      R"("model_type":"granite","embedding_multiplier":12,"logits_scaling":8,"residual_multiplier":0.22)");
  EXPECT_EQ(granite.text.embedding_multiplier, 12);
  EXPECT_EQ(granite.text.residual_multiplier, 0.22F);
  EXPECT_EQ(granite.text.logits_scaling, 1);  // the head is this family's own
  const Idefics3Config mistral = with_text(R"("model_type":"mistral","sliding_window":8)");
  EXPECT_EQ(mistral.text.sliding_window, 8);
  EXPECT_EQ(error_of([] { with_text(R"("model_type":"qwen2")"); }).code(), ErrorCode::model_unsupported);
  EXPECT_EQ(with_text(R"("model_type":"mistral","num_key_value_heads":null)").text.num_key_value_heads, 32);
}

class Directory : public testing::Test {
 protected:
  Directory() { directory_.add("config.json", R"({"model_type":"idefics3"})"); }
  Idefics3Settings read() const { return read_idefics3_settings(DirectoryFiles(directory_.path())); }
  GenerationConfig generation() const { return read_generation_config(DirectoryFiles(directory_.path())); }
  TemporaryDirectory directory_;
};

TEST_F(Directory, TakesTheImageProcessorFromEitherFile) {
  directory_.add("preprocessor_config.json", R"({"size":{"longest_edge":100}})");
  EXPECT_EQ(read().preprocessor.size_longest_edge, 100);
  directory_.add("processor_config.json", R"({"image_seq_len":9})");
  EXPECT_EQ(read().preprocessor.size_longest_edge, 100);
  EXPECT_EQ(read().processor.image_seq_len, 9);
  directory_.add("processor_config.json", R"({"image_processor":{"size":{"longest_edge":200}}})");
  EXPECT_EQ(read().preprocessor.size_longest_edge, 200);
}

TEST_F(Directory, ReportsMissingFiles) {
  const Error error = error_of([&] { read(); });
  EXPECT_EQ(error.code(), ErrorCode::not_found);
  EXPECT_THAT(error.what(), HasSubstr("preprocessor_config.json"));
  const TemporaryDirectory empty;
  const Error config = error_of([&] { read_idefics3_settings(DirectoryFiles(empty.path())); });
  EXPECT_EQ(config.code(), ErrorCode::not_found);
  EXPECT_THAT(config.what(), HasSubstr("config.json"));
  EXPECT_EQ(error_of([&] { DirectoryFiles(empty.path() / "no"); }).code(), ErrorCode::not_found);
}

TEST_F(Directory, DoesNotTakeAnEmptyFileForAnAbsentOne) {
  directory_.add("preprocessor_config.json", "{}");
  EXPECT_TRUE(generation().eos_token_id.empty());
  directory_.add("config.json", R"({"model_type":"idefics3","num_beams":3})");
  EXPECT_THAT(error_of([&] { generation(); }).what(), HasSubstr("config.json: num_beams: got 3"));
  directory_.add("generation_config.json", "");
  const Error error = error_of([&] { generation(); });
  EXPECT_EQ(error.code(), ErrorCode::model_invalid);
  EXPECT_THAT(error.what(), HasSubstr("generation_config.json"));
}

}  // namespace
}  // namespace galago
