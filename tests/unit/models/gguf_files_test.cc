// GGUF files as models: what the generated texts say, and files that are well-formed containers and still no
// model, one case a line with its exact code.
#include "models/gguf/files.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>
#include <limits>

#include "formats/weights.h"
#include "galago/galago.h"
#include "models/gguf/parts.h"
#include "models/registry.h"
#include "support/gguf_models.h"

namespace galago {
namespace {

namespace fs = std::filesystem;
using test::f32;
using test::GgufBuilder;
using test::load_error;
using test::ModelCase;
using test::TempDir;
using test::text;
using test::tiny_text;
using test::u32;
using test::without;
using testing::ElementsAre;
using testing::HasSubstr;

constexpr auto kInvalid = ErrorCode::model_invalid;
constexpr auto kUnsupported = ErrorCode::model_unsupported;

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

// A tower meets many rows at once and is read in the file's blocks; the text model goes into panels.
TEST(GgufModel, BlocksOfTheTowerStayInTheMap) {
  for (const bool mmap : {true, false}) {
    const auto frontend =
        load_frontend(test::data_path("models/gguf_smolvlm_q8"), {.numbers = {.mmap = mmap}});
    const Checkpoint files = frontend->files().checkpoint();
    Binder binder(files, frontend->device());
    int64_t mapped = 0, panels = 0;
    for (const auto& [name, view] : files.tensors()) {
      const WeightView* matrix = files.matrix(name);
      if (!matrix) continue;
      ASSERT_TRUE(matrix->in_blocks());
      EXPECT_EQ(view.shape, (Shape{matrix->rows, matrix->groups(), 34}));
      const WeightView got = binder.root().weight(name, {.out = matrix->rows, .in = matrix->cols});
      ASSERT_NE(got.values, nullptr);
      EXPECT_EQ(got.format, WeightFormat::q8);
      const bool tower = name.find("text_model") == std::string::npos && !name.starts_with("lm_head");
      (tower ? mapped : panels) += 1;
      EXPECT_EQ(got.in_panels(), !tower) << name;
      EXPECT_EQ(got.in_blocks(), tower && mmap) << name;
      if (tower && mmap) {
        EXPECT_EQ(got.values, view.data) << name;
      }
    }
    EXPECT_GT(mapped, 0);
    EXPECT_GT(panels, 0);
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
  EXPECT_EQ(keys->data, nullptr);  // rows in another order than the file's are made when they are asked for
  for (int round = 0; round < 2; ++round) {
    const TensorView moved = checkpoint.read("model.layers.0.self_attn.k_proj.weight");
    EXPECT_EQ(element(moved, 0), 0);
    EXPECT_EQ(element(moved, 8), 2);
    EXPECT_EQ(element(moved, 16), 1);
    EXPECT_EQ(element(moved, 24), 3);
    checkpoint.forget("model.layers.0.self_attn.k_proj.weight");
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

TEST(GgufModel, EndsOfTheFamiliesCountWhereTheyControl) {
  const auto ends = [](const char* token, int32_t kind) {
    GgufBuilder b = tiny_text().without("tokenizer.ggml.tokens").without("tokenizer.ggml.token_type");
    b.texts("tokenizer.ggml.tokens", {"a", token, "ab", "<|im_end|>"});
    b.numbers<int32_t>("tokenizer.ggml.token_type", 5, {1, kind, 1, 3});
    const TempDir directory;
    return gguf_generation_config(GgufFile(directory.add("m.gguf", b.bytes())))["eos_token_id"];
  };
  for (const char* token : {"<|eot_id|>", "<|eom_id|>", "<|end_of_text|>", "<end_of_utterance>", "</s>"}) {
    EXPECT_EQ(ends(token, 3), (Json{3, 1})) << token;
    EXPECT_EQ(ends(token, 1), Json{3}) << token;
  }
  // In SmolLM2's vocabulary, and no end of it: its file says "<|im_end|>".
  EXPECT_EQ(ends("<|endoftext|>", 3), Json{3});
  GgufBuilder base = tiny_text().without("tokenizer.ggml.tokens").without("tokenizer.ggml.eos_token_id");
  base.texts("tokenizer.ggml.tokens", {"a", "b", "ab", "<|im_end|>"}).u32("tokenizer.ggml.eos_token_id", 0);
  const TempDir directory;
  EXPECT_EQ(gguf_generation_config(GgufFile(directory.add("m.gguf", base.bytes())))["eos_token_id"], Json{0});
}

TEST(GgufModel, TokensWithoutTextAreNamedByTheirIds) {
  GgufBuilder b = tiny_text().without("tokenizer.ggml.tokens").without("tokenizer.ggml.token_type");
  b.texts("tokenizer.ggml.tokens", {"a", "b", "ab", "<image>", "", ""});
  b.numbers<int32_t>("tokenizer.ggml.token_type", 5, {1, 1, 1, 3, 1, 1});
  const TempDir directory;
  const Json tokenizer = gguf_tokenizer(GgufFile(directory.add("m.gguf", b.bytes())));
  EXPECT_EQ(tokenizer["model"]["vocab"]["[EMPTY_4]"], 4);
  EXPECT_EQ(tokenizer["model"]["vocab"]["[EMPTY_5]"], 5);
  EXPECT_EQ(tokenizer["added_tokens"].size(), 1U);
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
    {"SplitFile", u32("split.count", 2), kInvalid,
     "split.count: got 2 parts, expected a name that says which"},
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
    {"PieceNotUtf8",
     [](GgufBuilder& b) {
       b.without("tokenizer.ggml.model").text("tokenizer.ggml.model", "llama");
       b.without("tokenizer.ggml.tokens").texts("tokenizer.ggml.tokens", {"a", "b", "\xe2\x96", "<image>"});
       b.numbers<float>("tokenizer.ggml.scores", 6, {0, 0, 0, 0});
     },
     kInvalid, "tokenizer.ggml.tokens: got a byte that is not UTF-8 at offset 0"},
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

TEST(GgufModels, TensorsOfNoUseAreAWarningOrAnErrorAsAsked) {
  const std::pair<const char*, const char*> cases[] = {
      {"blk.0.surprise.weight", "blk.0.surprise.weight"},
      {"blk.7.ffn_up.weight", "model.layers.7.mlp.up_proj.weight"},
      {"blk.x.attn_q.weight", "blk.x.attn_q.weight"},
  };
  for (const auto& [name, named] : cases) {
    GgufBuilder builder = tiny_text();
    builder.zeros(name, {8, 6});
    const TempDir directory;
    const std::filesystem::path file = directory.add("model.gguf", builder.bytes());
    EXPECT_THAT(Model::load(file).warnings(), ElementsAre(HasSubstr(named)));
    const Error error = test::error_of([&] { Model::load(file, {.strict = true}); });
    EXPECT_EQ(error.code(), ErrorCode::model_invalid) << error.what();
    EXPECT_THAT(error.what(), HasSubstr(named));
  }
}

INSTANTIATE_TEST_SUITE_P(Cases, HostileGgufModel, testing::ValuesIn(kCases),
                         [](const auto& test) { return std::string(test.param.name); });

}  // namespace
}  // namespace galago
