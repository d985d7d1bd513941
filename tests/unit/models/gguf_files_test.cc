// GGUF files as models: what is found beside what, what the generated texts say, and files that are
// well-formed containers and still no model, one case a line with its exact code.
#include "models/gguf_files.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>
#include <limits>
#include <ostream>

#include "models/gguf_parts.h"
#include "models/registry.h"
#include "support/fixtures.h"
#include "support/gguf_builder.h"

namespace galago {
namespace {

namespace fs = std::filesystem;
using test::GgufBuilder;
using test::TempDir;
using testing::ElementsAre;
using testing::HasSubstr;

constexpr auto kInvalid = ErrorCode::model_invalid;
constexpr auto kUnsupported = ErrorCode::model_unsupported;

/// A whole text model of 4 tokens, width 8 and one layer of two heads.
GgufBuilder tiny_text() {
  GgufBuilder b;
  b.text("general.architecture", "llama");
  b.u32("llama.embedding_length", 8).u32("llama.block_count", 1).u32("llama.feed_forward_length", 6);
  b.u32("llama.attention.head_count", 2).u32("llama.attention.head_count_kv", 1);
  b.u32("llama.context_length", 64).f32("llama.rope.freq_base", 10000);
  b.f32("llama.attention.layer_norm_rms_epsilon", 1e-5F);
  b.text("tokenizer.ggml.model", "gpt2").text("tokenizer.ggml.pre", "smollm");
  b.texts("tokenizer.ggml.tokens", {"a", "b", "ab", "<image>"});
  b.numbers<int32_t>("tokenizer.ggml.token_type", 5, {1, 1, 1, 3});
  b.texts("tokenizer.ggml.merges", {"a b"}).u32("tokenizer.ggml.eos_token_id", 3);
  b.zeros("token_embd.weight", {8, 4}).zeros("output_norm.weight", {8});
  b.zeros("blk.0.attn_norm.weight", {8}).zeros("blk.0.ffn_norm.weight", {8});
  b.zeros("blk.0.attn_q.weight", {8, 8}).zeros("blk.0.attn_k.weight", {8, 4});
  b.zeros("blk.0.attn_v.weight", {8, 4}).zeros("blk.0.attn_output.weight", {8, 8});
  b.zeros("blk.0.ffn_gate.weight", {8, 6}).zeros("blk.0.ffn_up.weight", {8, 6});
  b.zeros("blk.0.ffn_down.weight", {6, 8});
  return b;
}

/// The eyes of an Idefics3 model over 8 columns.
GgufBuilder tiny_eyes(uint64_t columns = 8) {
  GgufBuilder b;
  b.text("general.architecture", "clip").text("clip.projector_type", "idefics3");
  b.u32("clip.vision.embedding_length", 4).u32("clip.vision.block_count", 1);
  b.u32("clip.vision.feed_forward_length", 4).u32("clip.vision.attention.head_count", 1);
  b.u32("clip.vision.image_size", 8).u32("clip.vision.patch_size", 4);
  b.f32("clip.vision.attention.layer_norm_epsilon", 1e-6F).u32("clip.vision.projector.scale_factor", 2);
  b.numbers<float>("clip.vision.image_mean", 6, {0.5F, 0.5F, 0.5F});
  b.numbers<float>("clip.vision.image_std", 6, {0.5F, 0.5F, 0.5F}).flag("clip.use_gelu", true);
  b.zeros("mm.model.fc.weight", {16, columns});
  return b;
}

Error load_error(const fs::path& path) {
  return test::error_of([&] {
    const auto frontend = load_frontend(path);
    frontend->load_engine(frontend->files().checkpoint());
  });
}

Json config_of(const GgufBuilder& builder) {
  const TempDir directory;
  return gguf_config({GgufFile(directory.add("model.gguf", builder.bytes())), std::nullopt});
}

TEST(GgufModel, ATinyTextModelLoads) {
  const TempDir directory;
  const auto file = directory.add("model.gguf", tiny_text().bytes());
  for (const fs::path& path : {fs::path(file), directory.path()}) {
    const auto frontend = load_frontend(path);
    EXPECT_EQ(frontend->config().text.head_dim, 4);
    EXPECT_TRUE(frontend->config().tie_word_embeddings);
    EXPECT_THAT(frontend->generation().eos_token_id, ElementsAre(3));
    EXPECT_THAT(frontend->tokenizer().encode("aba"), ElementsAre(2, 0));
    EXPECT_NE(frontend->load_engine(frontend->files().checkpoint()), nullptr);
  }
}

TEST(GgufModel, RowsOfQueriesAndKeysGoBackInHalves) {
  GgufBuilder b = tiny_text();
  for (size_t i = 0; i < 4; ++i) {  // attn_k: 4 rows of 8, row i full of i
    const std::string row = [&] {
      std::string bytes;
      for (int j = 0; j < 8; ++j) bytes += test::little(static_cast<float>(i));
      return bytes;
    }();
    // token_embd 128 bytes, norms 3 x 32, attn_q 256: attn_k follows.
    b.data.replace(128 + 96 + 256 + i * row.size(), row.size(), row);
  }
  const TempDir directory;
  const GgufFiles files(directory.add("model.gguf", b.bytes()));
  const Checkpoint checkpoint = files.checkpoint();
  const TensorView* keys = checkpoint.find("model.layers.0.self_attn.k_proj.weight");
  ASSERT_NE(keys, nullptr);
  EXPECT_EQ(element(*keys, 0), 0);
  EXPECT_EQ(element(*keys, 8), 2);
  EXPECT_EQ(element(*keys, 16), 1);
  EXPECT_EQ(element(*keys, 24), 3);
}

TEST(GgufModel, AnOutlineHasNoNumbers) {
  const TempDir directory;
  const GgufFiles files(directory.add("model.gguf", tiny_text().bytes()));
  const Checkpoint outline = files.outline();
  const Checkpoint whole = files.checkpoint();
  EXPECT_EQ(outline.tensors().size(), whole.tensors().size());
  for (const auto& [name, view] : outline.tensors()) {
    EXPECT_EQ(view.data, nullptr);
    EXPECT_EQ(view.shape, whole.find(name)->shape);
  }
}

TEST(GgufModel, RotaryDivisorsBecomeOneListForAllLengths) {
  GgufBuilder b = tiny_text();
  b.describe("rope_freqs.weight", {2}, 0, b.data.size());
  b.data += test::little(1.0F) + test::little(32.0F);
  const Json rope = config_of(b)["rope_parameters"];
  EXPECT_EQ(rope["rope_type"], "longrope");
  EXPECT_EQ(rope["short_factor"], (Json{1.0, 32.0}));
  EXPECT_EQ(rope["long_factor"], rope["short_factor"]);
}

TEST(GgufModel, AWindowMakesItMistral) {
  const Json config = config_of(tiny_text().u32("llama.attention.sliding_window", 16));
  EXPECT_EQ(config["model_type"], "mistral");
  EXPECT_EQ(config["sliding_window"], 16);
}

TEST(GgufModel, EndsAreTheFilesAndLlama3s) {
  GgufBuilder b = tiny_text().without("tokenizer.ggml.tokens").u32("tokenizer.ggml.eot_token_id", 1);
  b.texts("tokenizer.ggml.tokens", {"a", "b", "ab", "<|end_of_text|>"});
  const TempDir directory;
  const auto file = directory.add("m.gguf", b.bytes());
  EXPECT_EQ(gguf_generation_config(GgufFile(file))["eos_token_id"], (Json{3, 1}));
}

TEST(GgufPairs, AnMmprojThatFitsIsFound) {
  const TempDir directory;
  const auto text = directory.add("model.gguf", tiny_text().bytes());
  EXPECT_EQ(read_model_type(GgufFiles(text)), "llama");
  directory.add("mmproj-model-f16.gguf", tiny_eyes().bytes());
  EXPECT_EQ(read_model_type(GgufFiles(text)), "idefics3");
  EXPECT_EQ(read_model_type(GgufFiles(directory.path())), "idefics3");
}

TEST(GgufPairs, AnMmprojOfAnotherModelIsLeftAlone) {
  const TempDir directory;
  const auto text = directory.add("model.gguf", tiny_text().bytes());
  directory.add("mmproj-other.gguf", tiny_eyes(12).bytes());
  EXPECT_EQ(read_model_type(GgufFiles(text)), "llama");
}

TEST(GgufPairs, WhatIsNotClearIsAsked) {
  const TempDir directory;
  EXPECT_FALSE(is_gguf_model(directory.path()));
  directory.add("mmproj-a.gguf", tiny_eyes().bytes());
  EXPECT_TRUE(is_gguf_model(directory.path()));
  EXPECT_EQ(load_error(directory.path()).code(), ErrorCode::not_found);
  const Error eyes = load_error(directory.path() / "mmproj-a.gguf");
  EXPECT_EQ(eyes.code(), kInvalid);
  EXPECT_THAT(eyes.what(), HasSubstr("a vision file"));
  const auto text = directory.add("a.gguf", tiny_text().bytes());
  directory.add("mmproj-b.gguf", tiny_eyes().bytes());
  const Error two = load_error(text);
  EXPECT_EQ(two.code(), ErrorCode::usage);
  EXPECT_THAT(two.what(), HasSubstr("mmproj-a.gguf, mmproj-b.gguf"));
  directory.add("b.gguf", tiny_text().bytes());
  EXPECT_EQ(load_error(directory.path()).code(), ErrorCode::usage);
  directory.add("config.json", "{}");
  EXPECT_FALSE(is_gguf_model(directory.path()));
  EXPECT_EQ(load_error(directory.path() / "no.gguf").code(), ErrorCode::not_found);
}

struct ModelCase {
  const char* name;
  std::function<void(GgufBuilder&)> change;
  ErrorCode code;
  const char* names;
};

void PrintTo(const ModelCase& test, std::ostream* out) { *out << test.name; }

/// A key of the tiny model with another value.
std::function<void(GgufBuilder&)> u32(const char* key, uint32_t value) {
  return [=](GgufBuilder& b) { b.without(key).u32(key, value); };
}
std::function<void(GgufBuilder&)> text(const char* key, const std::string& value) {
  return [=](GgufBuilder& b) { b.without(key).text(key, value); };
}
std::function<void(GgufBuilder&)> f32(const char* key, float value) {
  return [=](GgufBuilder& b) { b.without(key).f32(key, value); };
}
std::function<void(GgufBuilder&)> without(const char* key) {
  return [=](GgufBuilder& b) { b.without(key); };
}
std::function<void(GgufBuilder&)> texts(const char* key, const std::vector<std::string>& values) {
  return [=](GgufBuilder& b) { b.without(key).texts(key, values); };
}
std::function<void(GgufBuilder&)> divisors(const std::vector<float>& values) {
  return [=](GgufBuilder& b) {
    b.describe("rope_freqs.weight", {values.size()}, 0, b.data.size());
    for (const float value : values) b.data += test::little(value);
  };
}

const float kNan = std::numeric_limits<float>::quiet_NaN();

const ModelCase kCases[] = {
    {"NoArchitecture", without("general.architecture"), kInvalid, "no general.architecture"},
    {"AnotherArchitecture", text("general.architecture", "mamba"), kUnsupported, "got \"mamba\""},
    {"ArchitectureIsANumber", u32("general.architecture", 1), kInvalid, "general.architecture: got 1"},
    {"SplitFile", u32("split.count", 2), kUnsupported, "split.count: got a file in several parts"},
    {"NoWidth", without("llama.embedding_length"), kInvalid, "llama.embedding_length"},
    {"WidthZero", u32("llama.embedding_length", 0), kInvalid, "llama.embedding_length: got 0"},
    {"WidthTooLarge", u32("llama.embedding_length", ~0U), kInvalid, "got 4294967295"},
    {"WidthIsAText", text("llama.embedding_length", "8"), kInvalid, "got \"8\""},
    {"WidthOfAnotherModel", u32("llama.embedding_length", 16), kInvalid, "faults in the weights"},
    {"LayersTooMany", u32("llama.block_count", 5000), kInvalid, "llama.block_count: got 5000"},
    {"LayersMissing", u32("llama.block_count", 2), kInvalid, "missing model.layers.1."},
    {"HeadsThatDoNotDivide", u32("llama.attention.head_count", 3), kInvalid, "num_attention_heads 3"},
    {"HeadsZero", u32("llama.attention.head_count", 0), kInvalid, "head_count: got 0"},
    {"KeyHeadsThatDoNotDivide", u32("llama.attention.head_count_kv", 3), kInvalid, "num_key_value_heads 3"},
    {"KeyHeadsPerLayer",
     [](GgufBuilder& b) {
       b.without("llama.attention.head_count_kv");
       b.numbers<int32_t>("llama.attention.head_count_kv", 5, {1});
     },
     kInvalid, "head_count_kv: got a list of 1 int32"},
    {"EpsilonNan", f32("llama.attention.layer_norm_rms_epsilon", kNan), kInvalid, "layer_norm_rms_epsilon"},
    {"EpsilonNegative", f32("llama.attention.layer_norm_rms_epsilon", -1), kInvalid,
     "layer_norm_rms_epsilon"},
    {"ThetaZero", f32("llama.rope.freq_base", 0), kInvalid, "llama.rope.freq_base"},
    {"ThetaInfinite", f32("llama.rope.freq_base", std::numeric_limits<float>::infinity()), kInvalid,
     "freq_base"},
    {"RopeYarn", text("llama.rope.scaling.type", "yarn"), kUnsupported, "got \"yarn\""},
    {"RopeLinearWithoutFactor", text("llama.rope.scaling.type", "linear"), kInvalid, "scaling.factor"},
    {"RopeOfHalfAHead", u32("llama.rope.dimension_count", 2), kUnsupported, "dimension_count: got 2"},
    {"RopeDivisorsZero", divisors({1, 0}), kInvalid, "rope_freqs.weight: got 0.0"},
    {"RopeDivisorsNan", divisors({1, kNan}), kInvalid, "rope_freqs.weight"},
    {"RopeDivisorsTooMany", divisors({1, 1, 1}), kInvalid, "short_factor: got 3 numbers"},
    {"Experts", u32("llama.expert_count", 8), kUnsupported, "llama.expert_count: got 8"},
    {"TableMissing",
     [](GgufBuilder& b) {
       b = GgufBuilder();
       b.text("general.architecture", "llama");
     },
     kInvalid, "token_embd.weight: got nothing"},
    {"UnknownTensor", [](GgufBuilder& b) { b.zeros("blk.0.surprise.weight", {8}); }, kInvalid,
     "blk.0.surprise.weight"},
    {"TensorOfALayerTooMany",
     [](GgufBuilder& b) {
       b.zeros("blk.7.ffn_up.weight", {8, 6});
     },
     kInvalid, "model.layers.7.mlp.up_proj.weight"},
    {"LayerNumberIsNone",
     [](GgufBuilder& b) {
       b.zeros("blk.x.attn_q.weight", {8, 8});
     },
     kInvalid, "blk.x.attn_q.weight"},
    {"OddRowsOfAHead",
     [](GgufBuilder& b) {
       b.zeros("blk.1.attn_k.weight", {8, 3});
     },
     kInvalid, "blk.1.attn_k.weight: got 3 rows"},
    {"NoTokenizer", without("tokenizer.ggml.model"), kInvalid, "no tokenizer.ggml.model"},
    {"TokenizerOfBert", text("tokenizer.ggml.model", "bert"), kUnsupported,
     "tokenizer.ggml.model: got \"bert\""},
    {"PreTokenizerUnknown", text("tokenizer.ggml.pre", "../../x"), kUnsupported, "got \"../../x\""},
    {"NoTokens", without("tokenizer.ggml.tokens"), kInvalid, "no tokenizer.ggml.tokens"},
    {"TokensAreNumbers",
     [](GgufBuilder& b) {
       b.without("tokenizer.ggml.tokens").numbers<int32_t>("tokenizer.ggml.tokens", 5, {1, 2, 3, 4});
     },
     kInvalid, "a list of strings"},
    {"TokenTwice", texts("tokenizer.ggml.tokens", {"a", "b", "a", "<image>"}), kInvalid,
     "the token \"a\" at 0 and at 2"},
    {"TokenNotUtf8", texts("tokenizer.ggml.tokens", {"a", "b", "ab", "\xff\xfe"}), kInvalid, "not UTF-8"},
    {"TypesTooFew",
     [](GgufBuilder& b) {
       b.without("tokenizer.ggml.token_type").numbers<int32_t>("tokenizer.ggml.token_type", 5, {1});
     },
     kInvalid, "token_type: got a list of 1 int32"},
    {"TypeOf7",
     [](GgufBuilder& b) {
       b.without("tokenizer.ggml.token_type").numbers<int32_t>("tokenizer.ggml.token_type", 5, {1, 1, 7, 3});
     },
     kInvalid, "0 to 6"},
    {"NoMerges", without("tokenizer.ggml.merges"), kInvalid, "no tokenizer.ggml.merges"},
    {"MergeOfOne", texts("tokenizer.ggml.merges", {"ab"}), kInvalid, "merges"},
    {"MergeOfAStranger", texts("tokenizer.ggml.merges", {"a z"}), kInvalid, "merges"},
    {"EndOutsideTheTokens", u32("tokenizer.ggml.eos_token_id", 4), kInvalid, "eos_token_id: got 4"},
    {"EndIsAText", text("tokenizer.ggml.eos_token_id", "3"), kInvalid, "eos_token_id: got \"3\""},
    {"AddBosIsANumber", u32("tokenizer.ggml.add_bos_token", 1), kInvalid, "expected true or false"},
    {"TemplateIsANumber", u32("tokenizer.chat_template", 1), kInvalid, "tokenizer.chat_template: got 1"},
    {"TemplateBroken", text("tokenizer.chat_template", "{% for %}"), kInvalid,
     "tokenizer_config.json: line 1"},
    {"TemplateNotUtf8", text("tokenizer.chat_template", "\xff"), kInvalid, "not UTF-8"},
    {"PiecesWithoutScores", text("tokenizer.ggml.model", "llama"), kInvalid, "no tokenizer.ggml.scores"},
    {"ScoresTooFew",
     [](GgufBuilder& b) {
       b.without("tokenizer.ggml.model").text("tokenizer.ggml.model", "llama");
       b.numbers<float>("tokenizer.ggml.scores", 6, {0});
     },
     kInvalid, "scores: got a list of 1 float32"},
    {"ScoreNan",
     [](GgufBuilder& b) {
       b.without("tokenizer.ggml.model").text("tokenizer.ggml.model", "llama");
       b.numbers<float>("tokenizer.ggml.scores", 6, {0, kNan, 0, 0});
     },
     kInvalid, "scores"},
    {"WindowOfGranite", [](GgufBuilder& b) { u32("llama.attention.sliding_window", ~0U)(b); }, kInvalid,
     "sliding_window"},
};

class HostileGgufModel : public testing::TestWithParam<ModelCase> {};

TEST_P(HostileGgufModel, IsRefused) {
  GgufBuilder builder = tiny_text();
  GetParam().change(builder);
  const TempDir directory;
  const Error error = load_error(directory.add("model.gguf", builder.bytes()));
  EXPECT_STREQ(to_string(error.code()), to_string(GetParam().code)) << error.what();
  EXPECT_THAT(error.what(), HasSubstr(GetParam().names));
}

INSTANTIATE_TEST_SUITE_P(Cases, HostileGgufModel, testing::ValuesIn(kCases),
                         [](const auto& test) { return std::string(test.param.name); });

const ModelCase kEyeCases[] = {
    {"AnotherProjector", text("clip.projector_type", "resampler"), kUnsupported, "got resampler"},
    {"NoProjector", without("clip.projector_type"), kUnsupported, "clip.projector_type"},
    {"NoScale", without("clip.vision.projector.scale_factor"), kInvalid, "scale_factor"},
    {"ScaleThatDoesNotDivide", u32("clip.vision.projector.scale_factor", 3), kInvalid, "3"},
    {"PatchLargerThanThePicture", u32("clip.vision.patch_size", 9), kInvalid, "patch_size"},
    {"PatchZero", u32("clip.vision.patch_size", 0), kInvalid, "patch_size: got 0"},
    {"HeadsThatDoNotDivide", u32("clip.vision.attention.head_count", 3), kInvalid, "num_attention_heads 3"},
    {"MeanOfTwo",
     [](GgufBuilder& b) {
       b.without("clip.vision.image_mean").numbers<float>("clip.vision.image_mean", 6, {0.5F, 0.5F});
     },
     kInvalid, "image_mean: got a list of 2 float32"},
    {"DeviationZero",
     [](GgufBuilder& b) {
       b.without("clip.vision.image_std").numbers<float>("clip.vision.image_std", 6, {0.5F, 0, 0.5F});
     },
     kInvalid, "image_std"},
    {"LongestEdgeTooLarge", u32("clip.vision.preproc_image_size", 1 << 20), kInvalid, "preproc_image_size"},
    {"GeluIsANumber", u32("clip.use_gelu", 1), kInvalid, "clip.use_gelu: got 1"},
    {"LlavaWithoutPinpoints", text("clip.projector_type", "mlp"), kInvalid, "image_grid_pinpoints"},
    {"LlavaWithOddPinpoints",
     [](GgufBuilder& b) {
       b.without("clip.projector_type").text("clip.projector_type", "mlp");
       b.numbers<int32_t>("clip.vision.image_grid_pinpoints", 5, {8, 8, 8});
     },
     kInvalid, "pairs of height and width"},
    {"LlavaTapBeyondTheLayers",
     [](GgufBuilder& b) {
       b.without("clip.projector_type").text("clip.projector_type", "mlp");
       b.numbers<int32_t>("clip.vision.image_grid_pinpoints", 5, {8, 8});
       b.numbers<int32_t>("clip.vision.feature_layer", 5, {9});
     },
     kInvalid, "vision_feature_layer"},
    {"TensorsMissing", [](GgufBuilder&) {}, kInvalid, "missing model.vision_model."},
};

class HostileGgufEyes : public testing::TestWithParam<ModelCase> {};

TEST_P(HostileGgufEyes, AreRefused) {
  GgufBuilder builder = tiny_eyes();
  GetParam().change(builder);
  const TempDir directory;
  const auto file = directory.add("model.gguf", tiny_text().text("tokenizer.chat_template", "x").bytes());
  directory.add("mmproj.gguf", builder.bytes());
  const Error error = load_error(file);
  EXPECT_STREQ(to_string(error.code()), to_string(GetParam().code)) << error.what();
  EXPECT_THAT(error.what(), HasSubstr(GetParam().names));
}

INSTANTIATE_TEST_SUITE_P(Cases, HostileGgufEyes, testing::ValuesIn(kEyeCases),
                         [](const auto& test) { return std::string(test.param.name); });

}  // namespace
}  // namespace galago
