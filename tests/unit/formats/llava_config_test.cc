// The settings of LLaVA-NeXT: what an absent key means, both spellings, and broken files, one case a line
// with its exact code.
#include "formats/config/llava_config.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "support/damaged_settings.h"

namespace galago {
namespace {

using test::case_name;
using test::ConfigCase;
using test::kInvalid;
using test::kUnsupported;
using testing::ElementsAre;
using testing::HasSubstr;

LlavaNextConfig model_of(const std::string& members) {
  return parse_llava_next_config(
      R"({"model_type":"llava_next")" + (members.empty() ? "" : "," + members) + "}", "config.json");
}

TEST(LlavaNextConfig, AbsentKeysMeanWhatTransformersMeans) {
  const LlavaNextConfig config = model_of(R"("text_config":{"vocab_size":32064})");
  EXPECT_EQ(config.vision.model_type, "clip_vision_model");
  EXPECT_EQ(config.vision.hidden_size, 1024);
  EXPECT_EQ(config.vision.intermediate_size, 4096);
  EXPECT_EQ(config.vision.num_hidden_layers, 24);
  EXPECT_EQ(config.vision.image_size, 336);
  EXPECT_EQ(config.vision.patch_size, 14);
  EXPECT_EQ(config.vision.hidden_act, "quick_gelu");
  EXPECT_EQ(config.vision.layer_norm_eps, 1e-5F);
  EXPECT_EQ(config.text.model_type, "llama");
  EXPECT_EQ(config.image_token_id, 32000);
  EXPECT_THAT(config.vision_feature_layer, ElementsAre(23));
  EXPECT_EQ(config.vision_feature_select_strategy, "default");
  EXPECT_EQ(config.projector_hidden_act, "gelu");
  EXPECT_TRUE(config.multimodal_projector_bias);
  EXPECT_FALSE(config.tie_word_embeddings);
  EXPECT_THAT(config.image_grid_pinpoints,
              ElementsAre(Resolution{336, 672}, Resolution{672, 336}, Resolution{672, 672},
                          Resolution{1008, 336}, Resolution{336, 1008}));
}

TEST(LlavaNextConfig, AVisionConfigTakesTheDefaultsOfItsClass) {
  const VisionConfig clip = model_of(R"("vision_config":{},"image_token_index":5)").vision;
  EXPECT_EQ(clip.model_type, "clip_vision_model");
  EXPECT_EQ(clip.hidden_size, 768);
  EXPECT_EQ(clip.patch_size, 32);
  const VisionConfig siglip = model_of(R"("vision_config":{"model_type":"siglip_vision_model"})").vision;
  EXPECT_EQ(siglip.patch_size, 16);
  EXPECT_EQ(siglip.hidden_act, "gelu_pytorch_tanh");
  EXPECT_EQ(siglip.layer_norm_eps, 1e-6F);
}

TEST(LlavaNextConfig, LayersCountFromBothEnds) {
  const std::string siglip = R"("vision_config":{"model_type":"siglip_vision_model","num_hidden_layers":27})";
  // 28 hidden states: -1 is the last, which layer 27 gives.
  EXPECT_THAT(model_of(siglip + R"(,"vision_feature_layer":[-24,-20,-12,-1])").vision_feature_layer,
              ElementsAre(4, 8, 16, 27));
  EXPECT_THAT(model_of(siglip + R"(,"vision_feature_layer":[0,27,-28,0])").vision_feature_layer,
              ElementsAre(0, 27, 0, 0));
  EXPECT_THAT(model_of(siglip + R"(,"vision_feature_layer":3)").vision_feature_layer, ElementsAre(3));
}

TEST(LlavaNextConfig, TheTextModelIsChosenByItsType) {
  const LlavaNextConfig granite =
      model_of(R"("text_config":{"model_type":"granite","embedding_multiplier":12.0,"logits_scaling":8.0})");
  EXPECT_EQ(granite.text.embedding_multiplier, 12.0F);
  EXPECT_EQ(granite.text.logits_scaling, 1.0F);  // the family's own head divides nothing
  EXPECT_EQ(*model_of(R"("text_config":{"model_type":"mistral"})").text.sliding_window, 4096);
}

TEST(LlavaNextConfig, TheImageTokenHasTwoSpellings) {
  EXPECT_EQ(model_of(R"("image_token_index":7)").image_token_id, 7);
  EXPECT_EQ(model_of(R"("image_token_id":8)").image_token_id, 8);
}

AnyResolutionConfig images_of(const std::string& members) {
  return parse_any_resolution_config("{" + members + "}", "preprocessor_config.json");
}

TEST(AnyResolutionConfig, AbsentKeysMeanWhatTransformersMeans) {
  const AnyResolutionConfig config = images_of("");
  EXPECT_TRUE(config.do_resize && config.do_center_crop && config.do_rescale && config.do_normalize);
  EXPECT_EQ(config.size, (Resolution{224, 224}));
  EXPECT_EQ(config.crop_size, (Resolution{224, 224}));
  EXPECT_EQ(config.tile_side, 224);
  EXPECT_EQ(config.resample, Resample::bicubic);
  EXPECT_THAT(config.image_mean, ElementsAre(0.48145466, 0.4578275, 0.40821073));
  EXPECT_THAT(config.image_std, ElementsAre(0.26862954, 0.26130258, 0.27577711));
  EXPECT_EQ(config.image_grid_pinpoints.size(), 5U);
}

TEST(AnyResolutionConfig, SizesHaveSeveralSpellings) {
  EXPECT_EQ(images_of(R"("size":{"shortest_edge":336})").size, (Resolution{336, 336}));
  EXPECT_EQ(images_of(R"("size":336)").size, (Resolution{336, 336}));
  EXPECT_EQ(images_of(R"("size":{"height":30,"width":20})").size, (Resolution{30, 20}));
  EXPECT_EQ(images_of(R"("crop_size":336)").crop_size, (Resolution{336, 336}));
  EXPECT_EQ(images_of(R"("crop_size":null,"do_center_crop":false,"size":336)").tile_side, 336);
  EXPECT_EQ(images_of(R"("image_processor":{"crop_size":48})").tile_side, 48);
}

TEST(AnyResolutionConfig, NullIsOffForSwitchesAndNoValueElsewhere) {
  const AnyResolutionConfig off =
      images_of(R"("do_resize":null,"do_center_crop":null,"do_rescale":null,"do_normalize":null)");
  EXPECT_FALSE(off.do_resize || off.do_center_crop || off.do_rescale || off.do_normalize);
  for (const char* key : {"size", "resample", "crop_size", "image_mean", "image_std", "rescale_factor",
                          "image_grid_pinpoints"}) {
    const Error error = test::error_of([&] { images_of("\"" + std::string(key) + "\":null"); });
    EXPECT_EQ(error.code(), ErrorCode::model_invalid) << key;
    EXPECT_EQ(error.got(), "null") << key;
  }
}

TEST(LlavaNextProcessorConfig, AbsentKeysSayNothing) {
  const LlavaNextProcessorConfig config = parse_llava_next_processor_config("{}", "processor_config.json");
  EXPECT_FALSE(config.patch_size || config.vision_feature_select_strategy ||
               config.num_additional_image_tokens);
  EXPECT_EQ(config.image_token, "<image>");
}

// More sizes than are allowed.
std::string many_pinpoints() {
  std::string list = "[[1,1]";
  for (int i = 0; i < 4096; ++i) list += ",[1,1]";
  return list + "]";
}

const ConfigCase kModelCases[] = {
    {"TowerUnknown", R"("vision_config":{"model_type":"pixtral"})", kUnsupported,
     "vision_config.model_type: got \"pixtral\""},
    {"TowerTypeNumber", R"("vision_config":{"model_type":1})", kInvalid, "vision_config.model_type: got 1"},
    {"VisionConfigList", R"("vision_config":[])", kInvalid, "vision_config: got []"},
    {"VisionActUnknown", R"("vision_config":{"hidden_act":"mish"})", kUnsupported,
     "vision_config.hidden_act: got \"mish\""},
    {"TextUnknown", R"("text_config":{"model_type":"qwen2"})", kUnsupported, "text_config.model_type"},
    {"TextConfigText", R"("text_config":"llama")", kInvalid, "text_config"},
    {"ImageTokenBeyondVocabulary", R"("image_token_index":32000,"text_config":{"vocab_size":32000})",
     kInvalid, "image_token_index: got 32000"},
    {"ImageTokenNegative", R"("image_token_index":-1)", kInvalid, "image_token_index: got -1"},
    {"ImageTokenText", R"("image_token_index":"<image>")", kInvalid, "image_token_index: got \"<image>\""},
    {"LayerBeyondTheLast", R"("vision_feature_layer":25)", kInvalid,
     "vision_feature_layer: got 25, expected an integer from -25 to 24"},
    {"LayerBeforeTheFirst", R"("vision_feature_layer":-26)", kInvalid, "vision_feature_layer: got -26"},
    {"LayerFraction", R"("vision_feature_layer":-2.5)", kInvalid, "vision_feature_layer: got -2.5"},
    {"LayersEmpty", R"("vision_feature_layer":[])", kInvalid, "vision_feature_layer: got []"},
    {"LayersNested", R"("vision_feature_layer":[[-1]])", kInvalid, "vision_feature_layer[0]: got [-1]"},
    {"LayersOneBad", R"("vision_feature_layer":[-1,99])", kInvalid, "vision_feature_layer[1]: got 99"},
    {"LayersTooMany",
     R"("vision_config":{"hidden_size":1048576,"num_attention_heads":1},)"
     R"("vision_feature_layer":[1,1])",
     kInvalid, "vision_feature_layer: got [1, 1], expected 1 to 1 layers"},
    {"StrategyUnknown", R"("vision_feature_select_strategy":"cls")", kInvalid,
     "vision_feature_select_strategy: got \"cls\", expected \"default\" or \"full\""},
    {"StrategyNumber", R"("vision_feature_select_strategy":1)", kInvalid, "vision_feature_select_strategy"},
    {"ProjectorActUnknown", R"("projector_hidden_act":"tanh")", kUnsupported,
     "projector_hidden_act: got \"tanh\""},
    {"ProjectorBiasText", R"("multimodal_projector_bias":"yes")", kInvalid, "multimodal_projector_bias"},
    {"PinpointsEmpty", R"("image_grid_pinpoints":[])", kInvalid, "image_grid_pinpoints: got []"},
    {"PinpointsTooMany", R"("image_grid_pinpoints":)" + many_pinpoints(), kInvalid,
     "image_grid_pinpoints: got a list of 4097, expected a list of 1 to 4096 sizes"},
    {"PinpointsObject", R"("image_grid_pinpoints":{})", kInvalid,
     "image_grid_pinpoints: got an object of 0 members"},
    {"PinpointOfThree", R"("image_grid_pinpoints":[[1,2,3]])", kInvalid,
     "image_grid_pinpoints[0]: got [1, 2, 3], expected [height, width]"},
    {"PinpointZero", R"("image_grid_pinpoints":[[336,0]])", kInvalid, "image_grid_pinpoints[0][1]: got 0"},
    {"PinpointHuge", R"("image_grid_pinpoints":[[65536,1]])", kInvalid,
     "image_grid_pinpoints[0][0]: got 65536"},
    {"PinpointText", R"("image_grid_pinpoints":["336x672"])", kInvalid, "image_grid_pinpoints[0]"},
    {"TieText", R"("tie_word_embeddings":"no")", kInvalid, "tie_word_embeddings"},
    {"Quantised", R"("quantization_config":{"bits":4})", kUnsupported, "quantization_config"},
};

const ConfigCase kImageCases[] = {
    {"SizeZero", R"("size":0)", kInvalid, "size: got 0"},
    {"SizeHuge", R"("size":{"shortest_edge":65536})", kInvalid, "size.shortest_edge: got 65536"},
    {"SizeLongestEdge", R"("size":{"longest_edge":336})", kUnsupported,
     "size: got an object of 1 members, expected shortest_edge alone"},
    {"SizeBothEdges", R"("size":{"shortest_edge":3,"longest_edge":9})", kUnsupported,
     "size: got an object of 2 members, expected shortest_edge alone"},
    {"SizeHeightAlone", R"("size":{"height":336})", kUnsupported, "size: got an object of 1 members"},
    {"SizeList", R"("size":[336,336])", kInvalid, "size: got [336, 336]"},
    {"CropShortestEdge", R"("crop_size":{"shortest_edge":336})", kUnsupported,
     "crop_size: got an object of 1 members, expected height and width"},
    {"CropNegative", R"("crop_size":{"height":-1,"width":1})", kInvalid, "crop_size.height: got -1"},
    {"ResampleMks2021", R"("resample":7)", kUnsupported, "resample: got 7"},
    {"StdZero", R"("image_std":[1,0,1])", kInvalid, "image_std"},
    {"MeanOfTwo", R"("image_mean":[1,2])", kInvalid, "image_mean: got [1, 2]"},
    {"PinpointsNotSizes", R"("image_grid_pinpoints":[336,672])", kInvalid,
     "image_grid_pinpoints[0]: got 336"},
    {"CropText", R"("do_center_crop":"true")", kInvalid, "do_center_crop"},
    {"ProcessorList", R"("image_processor":[])", kInvalid, "image_processor: got []"},
};

const ConfigCase kProcessorCases[] = {
    {"PatchZero", R"("patch_size":0)", kInvalid, "patch_size: got 0"},
    {"StrategyUnknown", R"("vision_feature_select_strategy":"half")", kInvalid, "got \"half\""},
    {"ExtraNegative", R"("num_additional_image_tokens":-1)", kInvalid, "num_additional_image_tokens: got -1"},
    {"TokenNumber", R"("image_token":5)", kInvalid, "image_token: got 5"},
};

class HostileLlavaModel : public testing::TestWithParam<ConfigCase> {};
class HostileLlavaImages : public testing::TestWithParam<ConfigCase> {};
class HostileLlavaProcessor : public testing::TestWithParam<ConfigCase> {};

TEST_P(HostileLlavaModel, IsRefused) {
  expect_refused(GetParam(), "config.json", [] { model_of(GetParam().json); });
}
TEST_P(HostileLlavaImages, IsRefused) {
  expect_refused(GetParam(), "preprocessor_config.json", [] { images_of(GetParam().json); });
}
TEST_P(HostileLlavaProcessor, IsRefused) {
  expect_refused(GetParam(), "p.json",
                 [] { parse_llava_next_processor_config("{" + GetParam().json + "}", "p.json"); });
}

INSTANTIATE_TEST_SUITE_P(Cases, HostileLlavaModel, testing::ValuesIn(kModelCases), case_name);
INSTANTIATE_TEST_SUITE_P(Cases, HostileLlavaImages, testing::ValuesIn(kImageCases), case_name);
INSTANTIATE_TEST_SUITE_P(Cases, HostileLlavaProcessor, testing::ValuesIn(kProcessorCases), case_name);

}  // namespace
}  // namespace galago
