// SigLIP directories damaged in one place each: the exact code, and the file and field named in the text.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <limits>

#include "support/damaged_models.h"

namespace galago {
namespace {

using test::case_name;
using test::EditCase;
using test::kInvalid;
using test::kUnsupported;
using testing::HasSubstr;

constexpr const char* kConfig = "config.json";
constexpr const char* kPixels = "preprocessor_config.json";
constexpr const char* kTokens = "tokenizer_config.json";
// The first mention of a key that both halves have is text_config's.
const std::string kVision = "\"vision_config\": {";

std::string vision(const std::string& member) { return kVision + member + ","; }

const EditCase kCases[] = {
    {"CalledNaflex", kConfig, "\"model_type\": \"siglip\"", "\"model_type\": \"siglip2\"", kInvalid,
     "patch_size: got 16, expected 8, the tower's patch_size"},
    {"ChatModel", kConfig, "\"model_type\": \"siglip\"", "\"model_type\": \"llama\"", kUnsupported,
     "galago run"},
    {"UnknownModel", kConfig, "\"model_type\": \"siglip\"", "\"model_type\": \"clip\"", kUnsupported,
     "got clip, expected siglip"},
    {"NotJson", kConfig, "{", "", kInvalid, "line 2, column 18"},
    {"ModelTypeNumber", kConfig, "\"model_type\": \"siglip\"", "\"model_type\": 4", kInvalid,
     "model_type: got 4"},
    {"TextConfigList", kConfig, "\"text_config\": {", "\"text_config\": [], \"old\": {", kInvalid,
     "text_config: got []"},
    {"VisionConfigText", kConfig, kVision, "\"vision_config\": \"x\", \"old\": {", kInvalid,
     "vision_config: got \"x\""},
    {"NoLayersOfText", kConfig, "\"num_hidden_layers\": 2", "\"num_hidden_layers\": 0", kInvalid,
     "text_config.num_hidden_layers: got 0"},
    {"TooManyLayers", kConfig, "\"num_hidden_layers\": 2", "\"num_hidden_layers\": 1000000", kInvalid,
     "text_config.num_hidden_layers: got 1000000"},
    {"LayersMissingInTheFile", kConfig, "\"num_hidden_layers\": 2", "\"num_hidden_layers\": 3", kInvalid,
     "missing text_model.encoder.layers.2"},
    {"HeadsOfText", kConfig, "\"num_attention_heads\": 2", "\"num_attention_heads\": 5", kInvalid,
     "text_config.hidden_size: got 24, expected a multiple of num_attention_heads 5"},
    {"NegativeVocabulary", kConfig, "\"vocab_size\": 296", "\"vocab_size\": -1", kInvalid,
     "text_config.vocab_size: got -1"},
    {"OtherVocabulary", kConfig, "\"vocab_size\": 296", "\"vocab_size\": 295", kInvalid,
     "shape of text_model.embeddings.token_embedding.weight"},
    {"HugeVocabulary", kConfig, "\"vocab_size\": 296", "\"vocab_size\": 99999999999999999999", kInvalid,
     "text_config.vocab_size"},
    {"NoPositions", kConfig, "\"max_position_embeddings\": 64", "\"max_position_embeddings\": 0", kInvalid,
     "text_config.max_position_embeddings: got 0"},
    {"OtherPositions", kConfig, "\"max_position_embeddings\": 64", "\"max_position_embeddings\": 65",
     kInvalid, "shape of text_model.embeddings.position_embedding.weight: got [64, 24], expected [65, 24]"},
    {"ProjectionOfAnotherWidth", kConfig, "\"projection_size\": 24", "\"projection_size\": 32", kUnsupported,
     "text_config.projection_size: got 32, expected 24"},
    {"EpsilonText", kConfig, "\"layer_norm_eps\": 1e-06", "\"layer_norm_eps\": \"small\"", kInvalid,
     "text_config.layer_norm_eps: got \"small\""},
    {"ActivationOfText", kConfig, "\"hidden_act\": \"gelu_pytorch_tanh\"", "\"hidden_act\": \"mish\"",
     kUnsupported, "text_config.hidden_act: got \"mish\""},
    {"LayersOfVision", kConfig, "\"num_hidden_layers\": 3", "\"num_hidden_layers\": -3", kInvalid,
     "vision_config.num_hidden_layers: got -3"},
    {"NoHead", kConfig, kVision, vision("\"vision_use_head\": false"), kUnsupported,
     "vision_config.vision_use_head: got false"},
    {"PatchLargerThanImage", kConfig, "\"patch_size\": 8", "\"patch_size\": 49", kInvalid,
     "vision_config.patch_size: got 49"},
    {"OtherPatchSize", kConfig, "\"patch_size\": 8", "\"patch_size\": 12", kInvalid,
     "shape of vision_model.embeddings.patch_embedding.weight"},
    {"OblongImage", kConfig, "\"image_size\": 48", "\"image_size\": [48, 56]", kUnsupported,
     "vision_config.image_size"},
    {"FourChannels", kConfig, "\"num_channels\": 3", "\"num_channels\": 4", kUnsupported,
     "vision_config.num_channels: got 4, expected 3"},
    {"SizeOfAnotherTower", kPixels, "\"height\": 48", "\"height\": 64", kInvalid,
     "size: got 64 x 48, expected 48 x 48"},
    {"SizeByOneEdge", kPixels, "\"height\": 48", "\"shortest_edge\": 48", kUnsupported,
     "size: got an object of 2 members, expected height and width"},
    {"SizeNumber", kPixels, "\"size\": {", "\"size\": 48, \"old\": {", kUnsupported,
     "size: got 48, expected height and width"},
    {"SizeNull", kPixels, "\"size\": {", "\"size\": null, \"old\": {", kInvalid, "size: got null"},
    {"ResampleNull", kPixels, "\"resample\": 3", "\"resample\": null", kInvalid, "resample: got null"},
    {"CenterCrop", kPixels, "\"do_resize\"", "\"do_center_crop\": true, \"do_resize\"", kUnsupported,
     "do_center_crop: got true"},
    {"PadTo", kPixels, "\"do_resize\"", "\"do_pad\": true, \"pad_size\": 64, \"do_resize\"", kUnsupported,
     "do_pad: got true"},
    {"SizeWithoutHeight", kPixels, "\"height\": 48,", "", kInvalid, "size.height: got nothing"},
    {"SizeZero", kPixels, "\"height\": 48", "\"height\": 0", kInvalid, "size.height: got 0"},
    {"SizeHuge", kPixels, "\"height\": 48", "\"height\": 65536", kInvalid, "size.height: got 65536"},
    {"SizeList", kPixels, "\"size\": {", "\"size\": [], \"old\": {", kInvalid, "size: got []"},
    {"UnknownFilter", kPixels, "\"resample\": 3", "\"resample\": 9", kInvalid, "resample: got 9"},
    {"Mks2013Filter", kPixels, "\"resample\": 3", "\"resample\": 6", kUnsupported, "resample: got 6"},
    {"DivisionByZero", kPixels, "\"image_std\": [\n    0.5", "\"image_std\": [\n    0.0", kInvalid,
     "image_std"},
    {"TwoColours", kPixels, "\"image_mean\": [\n    0.5,", "\"image_mean\": [", kInvalid,
     "image_mean: got [0.5, 0.5], expected a list of 3 numbers"},
    {"InputNamesNumber", kTokens, "\"input_ids\"", "7", kInvalid, "model_input_names[0]: got 7"},
};

class DamagedFile : public testing::TestWithParam<EditCase> {};

TEST_P(DamagedFile, IsRefused) { expect_refused(GetParam(), "siglip"); }

INSTANTIATE_TEST_SUITE_P(Siglip, DamagedFile, testing::ValuesIn(kCases), case_name);

Error load_error(const test::ModelCopy& model) {
  return test::error_of([&] { EmbeddingModel::load(model.path()); });
}

TEST(HostileSiglip, MissingFiles) {
  for (const char* name : {"config.json", "preprocessor_config.json", "spiece.model", "model.safetensors"}) {
    const test::ModelCopy model("siglip");
    model.remove(name);
    const Error error = load_error(model);
    EXPECT_EQ(error.code(), ErrorCode::not_found) << name << ": " << error.what();
  }
  EXPECT_EQ(test::error_of([] { EmbeddingModel::load("/no/such/model"); }).code(), ErrorCode::not_found);
}

TEST(HostileSiglip, ScaleAndBiasMustBeThereAndFinite) {
  const test::ModelCopy without("siglip");
  without.change_weights([](std::vector<NamedTensor>& tensors) {
    std::erase_if(tensors, [](const NamedTensor& t) { return t.name == "logit_scale"; });
  });
  EXPECT_THAT(load_error(without).what(), HasSubstr("missing logit_scale, expected [1]"));
  for (const float value : {100.0F, std::numeric_limits<float>::quiet_NaN()}) {
    const test::ModelCopy model("siglip");
    model.change_weights([&](std::vector<NamedTensor>& tensors) {
      for (NamedTensor& t : tensors)
        if (t.name == "logit_scale") t.view.data = reinterpret_cast<const std::byte*>(&value);
    });
    EXPECT_EQ(load_error(model).code(), kInvalid);
    EXPECT_THAT(load_error(model).what(), HasSubstr("logit_scale, logit_bias: got"));
  }
}

TEST(HostileSiglip, TensorsOfTheHeadAreListed) {
  const test::ModelCopy model("siglip");
  model.change_weights([](std::vector<NamedTensor>& tensors) {
    std::erase_if(tensors, [](const NamedTensor& t) {
      return t.name == "vision_model.head.probe" || t.name == "vision_model.head.attention.in_proj_weight";
    });
  });
  const Error error = load_error(model);
  EXPECT_EQ(error.code(), kInvalid);
  EXPECT_THAT(error.what(), HasSubstr("missing vision_model.head.probe, expected [1, 1, 24]"));
  EXPECT_THAT(error.what(),
              HasSubstr("missing vision_model.head.attention.in_proj_weight, expected [72, 24]"));
}

TEST(HostileSiglip, OldCountersMayBeThere) {
  const test::ModelCopy model("siglip");
  const std::vector<int64_t> counter(64, 0);
  model.change_weights([&](std::vector<NamedTensor>& tensors) {
    tensors.push_back({"text_model.embeddings.position_ids",
                       {DType::i64, {1, 64}, reinterpret_cast<const std::byte*>(counter.data())}});
  });
  EXPECT_EQ(EmbeddingModel::load(model.path()).dimension(), 24);
}

TEST(HostileSiglip, ATokenizerLargerThanTheTableIsRefused) {
  const test::ModelCopy model("siglip");
  model.edit("tokenizer_config.json", "{", R"({"additional_special_tokens": ["<new>"],)");
  const Error error = load_error(model);
  EXPECT_EQ(error.code(), kInvalid) << error.what();
  EXPECT_THAT(error.what(), HasSubstr("text_config.vocab_size: got 296, expected 297 or more"));
}

TEST(HostileSiglip, AChatModelIsToldWhereToGo) {
  const Error chat = test::error_of([] { load_frontend(test::data_path("models/siglip")); });
  EXPECT_EQ(chat.code(), kUnsupported);
  EXPECT_THAT(chat.what(), HasSubstr("galago embed and galago classify"));
}

}  // namespace
}  // namespace galago
