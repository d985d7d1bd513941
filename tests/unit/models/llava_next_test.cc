// LLaVA-NeXT without and with weights: prompts as transformers writes them, files that contradict each other,
// which tensors are read, and that each station's settings matter.
#include "models/llava_next.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>

#include "models/towers.h"
#include "support/devices.h"
#include "support/model_files.h"

namespace galago {
namespace {

using testing::HasSubstr;

class LlavaPrompt : public testing::TestWithParam<const char*> {};

TEST_P(LlavaPrompt, HasTheTextAndTheIdsOfTransformers) {
  const test::Golden golden(GetParam());
  const auto frontend = load_frontend(test::data_path("models/" + golden.model()));
  const PlannedPrompt plan = plan_prompt(*frontend, golden.text(), golden.sizes(), std::nullopt);
  EXPECT_EQ(plan.ids, golden.ids("input_ids"));
  const TensorView* rows = golden.trace.find("image_rows");
  EXPECT_EQ(plan.image_tokens, rows ? rows->shape[0] : 0);
  const TensorView* pixels = golden.trace.find("pixel_values");
  EXPECT_EQ(plan.tiles, pixels ? pixels->shape[0] : 0);
}

INSTANTIATE_TEST_SUITE_P(Goldens, LlavaPrompt,
                         testing::Values("llava_granite_tall", "llava_granite_wide", "llava_granite_two",
                                         "llava_clip_square", "llava_clip_text", "llava_mistral",
                                         "llava_old_names"),
                         [](const auto& param) { return param.param; });

struct Contradiction {
  const char* name;
  const char* model;
  const char* file;
  const char* old;
  const char* now;
  const char* says;
};

void PrintTo(const Contradiction& test, std::ostream* out) { *out << test.name; }

// Files that are well-formed alone and do not fit each other. A key under another name is an absent one.
const Contradiction kContradictions[] = {
    {"TilesSmallerThanTheTower", "llava_granite", "processor_config.json", "\"height\": 22", "\"height\": 21",
     "expected both 22"},
    {"CropWiderThanHigh", "llava_granite", "processor_config.json", "\"width\": 22", "\"width\": 44",
     "tiles of [22, 44]"},
    {"TowerOfAnotherSize", "llava_granite", "config.json", "\"image_size\": 22", "\"image_size\": 24",
     "expected both 24"},
    {"PinpointsNotMultiples", "llava_granite", "config.json", "22,\n      44", "22,\n      45",
     "got [22, 45], expected multiples of the tower's image_size 22"},
    {"PinpointsDifferAmongFiles", "llava_granite", "config.json", "22,\n      44", "22,\n      110",
     "got another list"},
    {"PinpointsOfOtherTilesByDefault", "llava_granite", "config.json", "image_grid_pinpoints", "pinpoints",
     "got [336, 672]"},
    {"PinpointsInOneFileOnly", "llava_granite", "processor_config.json", "image_grid_pinpoints", "pinpoints",
     "got another list"},
    {"FullWithAClassToken", "llava_clip", "config.json", "strategy\": \"default\"", "strategy\": \"full\"",
     "got full, expected \"default\" for a tower with 1 class tokens"},
    {"DefaultWithoutAClassToken", "llava_granite", "config.json", "\"full\"", "\"default\"",
     "got default, expected \"full\" for a tower with 0 class tokens"},
    {"ProcessorWithAnotherStrategy", "llava_clip", "processor_config.json", "\"default\"", "\"full\"",
     "processor_config.json: vision_feature_select_strategy: got full"},
    {"ProcessorWithAnotherPatch", "llava_granite", "processor_config.json", "\"patch_size\": 5",
     "\"patch_size\": 11", "patch_size: got 11, expected 5"},
    {"ProcessorForgetsTheClassToken", "llava_clip", "processor_config.json",
     "\"num_additional_image_tokens\": 1", "\"num_additional_image_tokens\": 0",
     "num_additional_image_tokens: got 0, expected 1"},
    {"ProcessorAddsAClassToken", "llava_granite", "processor_config.json",
     "\"num_additional_image_tokens\": 0", "\"num_additional_image_tokens\": 1", "got 1, expected 0"},
    {"ImageTokenOfTheTokenizer", "llava_granite", "config.json", "\"image_token_index\": 339",
     "\"image_token_index\": 338", "image_token_index: got 338"},
    {"ImageTokenUnknown", "llava_granite", "processor_config.json", "\"image_token\": \"<image>\"",
     "\"image_token\": \"<picture>\"", "id of <picture>, which it lacks"},
};

class LlavaContradiction : public testing::TestWithParam<Contradiction> {};

TEST_P(LlavaContradiction, IsRefusedAtLoad) {
  const test::ModelCopy model(GetParam().model);
  model.edit(GetParam().file, GetParam().old, GetParam().now);
  const Error error = test::error_of([&] { load_frontend(model.path()); });
  EXPECT_EQ(error.code(), ErrorCode::model_invalid);
  EXPECT_THAT(error.what(), HasSubstr(GetParam().says));
}

INSTANTIATE_TEST_SUITE_P(Cases, LlavaContradiction, testing::ValuesIn(kContradictions),
                         [](const auto& test) { return test.param.name; });

TEST(LlavaNext, ADirectoryWithoutProcessorFileStillCounts) {
  const test::ModelCopy model("llava_old_names");
  model.remove("processor_config.json");
  const test::Golden golden("llava_old_names");
  EXPECT_EQ(plan_prompt(*load_frontend(model.path()), golden.text(), golden.sizes(), std::nullopt).ids,
            golden.ids("input_ids"));
}

TEST(LlavaNext, HasNoWayWithoutTiles) {
  const auto frontend = load_frontend(test::data_path("models/llava_clip"));
  EXPECT_EQ(test::error_of([&] { frontend->plan({100, 80}, false); }).code(), ErrorCode::usage);
  EXPECT_EQ(frontend->plan({100, 80}, true).tiles, frontend->plan({100, 80}, std::nullopt).tiles);
}

TEST(LlavaNext, MissingAndForeignTensorsAreListed) {
  const test::ModelCopy model("llava_granite");
  model.change_weights([](std::vector<NamedTensor>& tensors) {
    for (NamedTensor& tensor : tensors)
      if (tensor.name == "multi_modal_projector.linear_2.weight") tensor.name = "multi_modal_projector.extra";
  });
  const Error error = test::error_of([&] { test::Loaded{model.path()}; });
  EXPECT_EQ(error.code(), ErrorCode::model_invalid);
  EXPECT_THAT(error.what(), HasSubstr("multi_modal_projector.linear_2.weight"));
  EXPECT_THAT(error.what(), HasSubstr("multi_modal_projector.extra"));
}

TEST(LlavaNext, TheNewLineIsNeeded) {
  const test::ModelCopy model("llava_granite");
  model.change_weights([](std::vector<NamedTensor>& tensors) {
    std::erase_if(tensors, [](const NamedTensor& tensor) { return tensor.name == "image_newline"; });
  });
  EXPECT_EQ(test::error_of([&] { test::Loaded{model.path()}; }).code(), ErrorCode::model_invalid);
}

TEST(LlavaNext, ThePoolingHeadMayBeAbsent) {
  const test::ModelCopy model("llava_granite");
  model.change_weights([](std::vector<NamedTensor>& tensors) {
    const size_t all = tensors.size();
    std::erase_if(tensors, [](const NamedTensor& t) { return t.name.starts_with("vision_tower.head."); });
    EXPECT_LT(tensors.size(), all);
  });
  EXPECT_NO_THROW(test::Loaded{model.path()});
}

// Image rows of the golden's first picture under changed settings.
std::vector<float> rows_of(const test::ModelCopy& model, const std::string& picture) {
  const test::Loaded loaded(model.path());
  const RgbImage image = load_image(picture);
  Workspace workspace(test::device());
  const PixelBatch batch = loaded.frontend->pixels(loaded.frontend->tiles(image, std::nullopt));
  const Tensor features = loaded.engine->encode_image(batch, workspace, {});
  const ImagePlan plan = loaded.frontend->plan({image.width, image.height}, std::nullopt);
  return test::values(loaded.engine->image_rows(loaded.engine->connect(features, workspace), plan));
}

TEST(LlavaNext, TheTappedLayersAndTheirOrderMatter) {
  const test::Golden golden("llava_granite_tall");
  const test::ModelCopy model("llava_granite");
  const std::vector<float> right = rows_of(model, golden.images()[0]);
  const Tensor expected = golden.floats("image_rows");
  ASSERT_EQ(static_cast<int64_t>(right.size()), expected.size());
  double worst = 0;
  for (size_t i = 0; i < right.size(); ++i)
    worst = std::max(worst, std::abs(static_cast<double>(right[i]) - expected.data()[i]));
  EXPECT_LT(worst, 1e-4);

  model.edit("config.json", "-5,\n    -4,", "-4,\n    -5,");
  EXPECT_NE(rows_of(model, golden.images()[0]), right);
  model.edit("config.json", "-4,\n    -5,", "1,\n    2,");  // the same layers, counted from the front
  EXPECT_EQ(rows_of(model, golden.images()[0]), right);
}

TEST(Towers, OnePlaceKnowsTheClasses) {
  VisionConfig config;
  config.model_type = "siglip_vision_model";
  EXPECT_EQ(class_tokens(config), 0);
  config.model_type = "clip_vision_model";
  EXPECT_EQ(class_tokens(config), 1);
  config.model_type = "resnet";
  const Error error = test::error_of([&] { class_tokens(config); });
  EXPECT_EQ(error.code(), ErrorCode::model_unsupported);
  EXPECT_THAT(error.what(), HasSubstr("siglip_vision_model, clip_vision_model"));
}

}  // namespace
}  // namespace galago
