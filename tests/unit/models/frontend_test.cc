// The weight-free half of a model: plans and prompts as transformers makes them, and settings that contradict
// each other.
#include "models/frontend.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "support/model_files.h"

namespace galago {
namespace {

using testing::HasSubstr;

class GoldenPrompt : public testing::TestWithParam<const char*> {};

TEST_P(GoldenPrompt, HasTheTextAndTheIdsOfTransformers) {
  const test::Golden golden(GetParam());
  const auto frontend = load_frontend(test::data_path("models/" + golden.model()));
  const PlannedPrompt plan = plan_prompt(*frontend, golden.text(), golden.sizes(), golden.split());
  int64_t tokens = 0;
  int64_t tiles = 0;
  for (const ImagePlan& image : plan.images) {
    tokens += image.tokens;
    tiles += image.tiles;
  }
  EXPECT_EQ(joined(frontend->prompt(golden.text(), plan.images)),
            golden.facts["expanded_prompt"].get<std::string>());
  EXPECT_EQ(plan.ids, golden.ids("input_ids"));
  EXPECT_EQ(plan.image_tokens, tokens);
  EXPECT_EQ(plan.tiles, tiles);
  const TensorView* rows = golden.trace.find("image_rows");
  EXPECT_EQ(tokens, rows ? rows->shape[0] : 0);
}

INSTANTIATE_TEST_SUITE_P(Goldens, GoldenPrompt,
                         testing::Values("smolvlm_tiles", "two_images", "no_split", "text_only", "tied_head",
                                         "grid25_llama3", "grid26_scale2_partial", "grid27_scale3"),
                         [](const auto& param) { return param.param; });

Error load_error(const test::ModelCopy& model) {
  return test::error_of([&] { load_frontend(model.path()); });
}

TEST(Frontend, RefusesAnImageTokenThatTheTokenizerDoesNotHaveThere) {
  const test::ModelCopy model;
  model.edit("config.json", "\"image_token_id\": 510", "\"image_token_id\": 509");
  const Error error = load_error(model);
  EXPECT_EQ(error.code(), ErrorCode::model_invalid);
  EXPECT_THAT(error.what(), HasSubstr("image_token_id"));
  EXPECT_THAT(error.what(), HasSubstr("got 509"));
  EXPECT_THAT(error.what(), HasSubstr("510"));
}

TEST(Frontend, RefusesATokenizerWithoutTheImageToken) {
  const test::ModelCopy model;
  model.edit("tokenizer.json", "\"<image>\"", "\"<picture>\"");
  // tokenizer_config.json still names the token: it becomes a new one, with an id that config.json does not
  // mean.
  const Error moved = load_error(model);
  EXPECT_EQ(moved.code(), ErrorCode::model_invalid);
  EXPECT_THAT(moved.what(), HasSubstr("got 510, expected the tokenizer's id of <image>, 512"));
  for (const char* name : {"tokenizer_config.json", "special_tokens_map.json"}) model.write(name, "{}");
  const Error error = load_error(model);
  EXPECT_EQ(error.code(), ErrorCode::model_invalid);
  EXPECT_THAT(error.what(), HasSubstr("which it lacks"));
}

TEST(Frontend, RefusesAnImageSeqLenThatTheConfigDoesNotGive) {
  const test::ModelCopy model;
  model.edit("processor_config.json", "\"image_seq_len\": 16", "\"image_seq_len\": 17");
  const Error error = load_error(model);
  EXPECT_EQ(error.code(), ErrorCode::model_invalid);
  EXPECT_THAT(error.what(), HasSubstr("image_seq_len: got 17, expected 16"));
}

TEST(Frontend, RefusesTilesOfAnotherSizeThanTheTower) {
  const test::ModelCopy model;
  for (const char* file : {"preprocessor_config.json", "processor_config.json"})
    model.edit(file, "\"max_image_size\": {\n",
               "\"max_image_size\": {\"longest_edge\": 32 }, \"other\": {\n");
  const Error error = load_error(model);
  EXPECT_EQ(error.code(), ErrorCode::model_invalid);
  EXPECT_THAT(error.what(), HasSubstr("max_image_size.longest_edge: got 32, expected 64"));
}

TEST(Frontend, RefusesTokensThatTheModelHasNoRowFor) {
  const test::ModelCopy model;
  model.edit("config.json", "\"vocab_size\": 512", "\"vocab_size\": 511");
  const auto frontend = load_frontend(model.path());
  const Error error = test::error_of([&] { plan_prompt(*frontend, {.prompt = "x"}, {}, {}); });
  EXPECT_EQ(error.code(), ErrorCode::model_invalid);
  EXPECT_THAT(error.what(), HasSubstr("token id 511, expected below the vocab_size of config.json, 511"));
}

TEST(Frontend, DoesWithoutAnImageSeqLen) {
  const test::ModelCopy model;
  model.edit("processor_config.json", "\"image_seq_len\": 16", "\"other\": 17");
  EXPECT_NO_THROW(load_frontend(model.path()));
}

TEST(Frontend, RefusesAScaleThatDoesNotDivideTheGrid) {
  const test::ModelCopy model;
  model.edit("config.json", "\"scale_factor\": 4", "\"scale_factor\": 3");
  const Error error = load_error(model);
  EXPECT_EQ(error.code(), ErrorCode::model_invalid);
  EXPECT_THAT(error.what(), HasSubstr("scale_factor: got 3"));
  EXPECT_THAT(error.what(), HasSubstr("16 patches"));
}

TEST(Frontend, ListsTheModelTypesItKnows) {
  const test::ModelCopy model;
  model.edit("config.json", "\"model_type\": \"idefics3\"", "\"model_type\": \"paligemma\"");
  const Error error = load_error(model);
  EXPECT_EQ(error.code(), ErrorCode::model_unsupported);
  EXPECT_THAT(error.what(), HasSubstr("got paligemma"));
  EXPECT_THAT(error.what(), HasSubstr("idefics3, smolvlm"));
}

TEST(Frontend, ReadsTheSmolvlmSpellingOfTheType) {
  const test::ModelCopy model;
  model.edit("config.json", "\"model_type\": \"idefics3\"", "\"model_type\": \"smolvlm\"");
  EXPECT_EQ(load_frontend(model.path())->config().model_type, "smolvlm");
}

TEST(Frontend, TypedPlaceholdersAreTextUnlessAsked) {
  const auto frontend = load_frontend(test::data_path("models/smolvlm_tiles"));
  const auto image_id = static_cast<int32_t>(frontend->config().image_token_id);
  PromptText text{.prompt = "Is <image> a word?"};
  const std::vector<int32_t> ids = frontend->prompt_ids(text, {});
  EXPECT_EQ(std::count(ids.begin(), ids.end(), image_id), 0);
  text.parse_special = true;
  const Error error = test::error_of([&] { frontend->prompt_ids(text, {}); });
  EXPECT_EQ(error.code(), ErrorCode::input_invalid);
}

TEST(PlanPrompt, RefusesTooManyImages) {
  const auto frontend = load_frontend(test::data_path("models/smolvlm_tiles"));
  const std::vector<ImageSize> sizes(257, {.width = 8, .height = 8});
  const Error error = test::error_of([&] { plan_prompt(*frontend, {.prompt = "Hi"}, sizes, false); });
  EXPECT_EQ(error.code(), ErrorCode::input_too_large);
  EXPECT_THAT(error.what(), HasSubstr("got 257, expected at most 256"));
}

TEST(PlanPrompt, RefusesAPromptThatLeavesNoRoomForAnAnswer) {
  const auto frontend = load_frontend(test::data_path("models/grid25_llama3"));  // a context of 512
  std::string long_prompt;
  for (int i = 0; i < 600; ++i) long_prompt += " word";
  const Error error = test::error_of([&] { plan_prompt(*frontend, {.prompt = long_prompt}, {}, {}); });
  EXPECT_EQ(error.code(), ErrorCode::input_too_large);
  EXPECT_THAT(error.what(), HasSubstr("512"));
}

TEST(PlanPrompt, ImagesCountAgainstTheContext) {
  const auto frontend = load_frontend(test::data_path("models/grid25_llama3"));
  const std::vector<ImageSize> sizes(200, {.width = 64, .height = 64});
  EXPECT_EQ(test::error_of([&] { plan_prompt(*frontend, {.prompt = "Hi"}, sizes, false); }).code(),
            ErrorCode::input_too_large);
}

TEST(PackPrompt, NamesRowsAndPlaceholdersWhenTheyDisagree) {
  const test::Loaded model("smolvlm_tiles");
  const PlannedPrompt plan = plan_prompt(*model.frontend, {.prompt = "Hi"},
                                         std::vector<ImageSize>{{.width = 64, .height = 64}}, false);
  ASSERT_EQ(plan.image_tokens, 16);
  const Tensor most = test::random_tensor({15, 64}, 1), last = test::random_tensor({1, 64}, 2);
  std::vector<ConstMatrix> rows{most.matrix()};
  const Error error = test::error_of([&] { pack_prompt(*model.frontend, *model.engine, plan.ids, rows); });
  EXPECT_EQ(error.code(), ErrorCode::input_invalid);
  EXPECT_THAT(error.what(), HasSubstr("16 placeholders"));
  EXPECT_THAT(error.what(), HasSubstr("15, one for each image row"));
  rows.push_back(last.matrix());
  const Tensor packed = pack_prompt(*model.frontend, *model.engine, plan.ids, rows);
  EXPECT_EQ(packed.shape(), (Shape{static_cast<int64_t>(plan.ids.size()), 64}));
}

}  // namespace
}  // namespace galago
