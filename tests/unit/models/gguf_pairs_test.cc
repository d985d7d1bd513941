// What is found beside a text GGUF: which vision file is taken, which is passed over and why, and vision
// files that fit and still are no model, one case a line with its exact code.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "models/gguf/files.h"
#include "models/registry.h"
#include "support/gguf_models.h"

namespace galago {
namespace {

namespace fs = std::filesystem;
using test::GgufBuilder;
using test::load_error;
using test::ModelCase;
using test::TempDir;
using test::text;
using test::tiny_eyes;
using test::tiny_text;
using test::u32;
using test::without;
using testing::AllOf;
using testing::HasSubstr;

constexpr auto kInvalid = ErrorCode::model_invalid;
constexpr auto kUnreadPicture = ErrorCode::input_invalid;

TEST(GgufPairs, AnMmprojThatFitsIsFound) {
  const TempDir directory;
  const auto text = directory.add("model.gguf", tiny_text().bytes());
  EXPECT_EQ(read_model_type(GgufFiles(text)), "llama");
  directory.add("mmproj-model-f16.gguf", tiny_eyes().bytes());
  EXPECT_EQ(read_model_type(GgufFiles(text)), "idefics3");
  EXPECT_EQ(read_model_type(GgufFiles(directory.path())), "idefics3");
}

/// What a picture is answered by the text model that a path is.
Error picture_error(const fs::path& path) {
  const auto frontend = load_frontend(path);
  EXPECT_NE(frontend->load_engine(frontend->files().checkpoint()), nullptr);
  return test::error_of([&] { frontend->plan({8, 8}, std::nullopt); });
}

/// The vision file that a text file is paired with.
std::string eyes_of(const fs::path& text) {
  const std::string where = GgufFiles(text).where("preprocessor_config.json");
  return fs::path(where.substr(0, where.find(" as "))).filename();
}

TEST(GgufPairs, TheHeaderTellsAVisionFileWhateverItsName) {
  for (const char* name : {"vision.gguf", "MODEL-MMPROJ.gguf", "eyes.GGUF"}) {
    const TempDir directory;
    directory.add(name, tiny_eyes().bytes());
    const auto text = directory.add("mmproj-reader.GGUF", tiny_text().bytes());
    EXPECT_TRUE(is_gguf_model(directory.path()));
    EXPECT_TRUE(is_gguf_model(text));
    EXPECT_EQ(read_model_type(GgufFiles(text)), "idefics3") << name;
    EXPECT_EQ(read_model_type(GgufFiles(directory.path())), "idefics3") << name;
  }
}

TEST(GgufPairs, AnMmprojOfAnotherModelIsLeftAloneAndNamed) {
  const TempDir directory;
  const auto text = directory.add("model.gguf", tiny_text().bytes());
  EXPECT_THAT(picture_error(text).hint(), HasSubstr("no vision file (mmproj) among"));
  directory.add("mmproj-other.gguf", tiny_eyes(12).bytes());
  const Error error = picture_error(text);
  EXPECT_EQ(error.code(), ErrorCode::input_invalid);
  EXPECT_THAT(error.hint(), HasSubstr("mmproj-other.gguf: its rows are 12 wide, the text model 8"));
  directory.add("model-mmproj.gguf", tiny_eyes().bytes());
  EXPECT_EQ(eyes_of(text), "model-mmproj.gguf");
}

TEST(GgufPairs, AVisionFileThatCannotBeReadLeavesTheTextModel) {
  const TempDir directory;
  const auto text = directory.add("model.gguf", tiny_text().bytes());
  const std::string whole = tiny_eyes().bytes();
  for (const std::string& bytes :
       {whole.substr(0, whole.size() - 40), whole.substr(0, 100), std::string("<html>"), std::string()}) {
    directory.add("Mmproj.gguf", bytes);
    for (const fs::path& path : {fs::path(text), directory.path()})
      EXPECT_THAT(picture_error(path).what(),
                  AllOf(HasSubstr("reads no pictures (not used: "), HasSubstr("Mmproj.gguf")));
  }
  directory.add("b-mmproj.gguf", whole);
  EXPECT_EQ(eyes_of(text), "b-mmproj.gguf");
}

TEST(GgufPairs, AVocabularyWithoutPlaceForPicturesIsNamed) {
  const TempDir directory;
  GgufBuilder b = tiny_text().without("tokenizer.ggml.tokens");
  b.texts("tokenizer.ggml.tokens", {"a", "b", "ab", "c"});
  const auto text = directory.add("model.gguf", b.bytes());
  directory.add("mmproj.gguf", tiny_eyes().bytes());
  EXPECT_THAT(picture_error(text).hint(), HasSubstr("vocabulary has no <image>"));
}

/// tiny_eyes with most weights in a type of so many bytes for 32 elements.
std::string eyes_in(uint32_t type, uint64_t bytes, const char* name = "") {
  GgufBuilder b = tiny_eyes().text("general.name", name);
  b.describe("v.blk.0.ffn_up.weight", {32, 32}, type, b.data.size());
  b.data.append(32 * bytes, '\0');
  return b.bytes();
}

TEST(GgufPairs, OfSeveralTheHighestPrecisionIsTaken) {
  const TempDir directory;
  const auto text = directory.add("model.gguf", tiny_text().text("general.name", "one").bytes());
  directory.add("mmproj-a-q4.gguf", eyes_in(2, 18));
  directory.add("mmproj-b-q8.gguf", eyes_in(8, 34));
  EXPECT_EQ(eyes_of(text), "mmproj-b-q8.gguf");
  directory.add("mmproj-d-f16.gguf", eyes_in(1, 64));
  EXPECT_EQ(eyes_of(text), "mmproj-d-f16.gguf");
  directory.add("mmproj-c-bf16.gguf", eyes_in(30, 64));  // as many bits: by name
  EXPECT_EQ(eyes_of(text), "mmproj-c-bf16.gguf");
  directory.add("mmproj-e-f32.gguf", eyes_in(0, 128, "another"));
  EXPECT_EQ(eyes_of(text), "mmproj-e-f32.gguf");
  directory.add("mmproj-f-q4.gguf", eyes_in(2, 18, "one"));  // the same model's before all others
  EXPECT_EQ(eyes_of(text), "mmproj-f-q4.gguf");
  EXPECT_EQ(read_model_type(GgufFiles(directory.path())), "idefics3");
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
  directory.add("a.gguf", tiny_text().bytes());
  directory.add("b.gguf", tiny_text().bytes());
  const Error two = load_error(directory.path());
  EXPECT_EQ(two.code(), ErrorCode::usage);
  EXPECT_THAT(two.what(), HasSubstr("got a.gguf, b.gguf"));
  directory.add("config.json", "{}");
  EXPECT_FALSE(is_gguf_model(directory.path()));
  EXPECT_EQ(load_error(directory.path() / "no.gguf").code(), ErrorCode::not_found);
}

const ModelCase kEyeCases[] = {
    {"ScaleThatDoesNotDivide", u32("clip.vision.projector.scale_factor", 3), kInvalid, "3"},
    {"PatchLargerThanThePicture", u32("clip.vision.patch_size", 9), kInvalid, "patch_size"},
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

/// Files that fit by width, and still are no tower that galago runs: the code is of the picture's error.
const ModelCase kForeignEyes[] = {
    {"AnotherProjector", text("clip.projector_type", "resampler"), kUnreadPicture, "got resampler"},
    {"NoProjector", without("clip.projector_type"), kUnreadPicture, "clip.projector_type"},
    {"NoScale", without("clip.vision.projector.scale_factor"), kUnreadPicture, "scale_factor"},
    {"NoLastLayer",
     [](GgufBuilder& b) {
       b = GgufBuilder();
       b.text("general.architecture", "clip").text("clip.projector_type", "idefics3");
     },
     kUnreadPicture, "no projector that galago reads"},
    {"PatchZero", u32("clip.vision.patch_size", 0), kUnreadPicture, "patch_size: got 0"},
    {"GeluIsANumber", u32("clip.use_gelu", 1), kUnreadPicture, "clip.use_gelu: got 1"},
    {"LlavaWithoutPinpoints", text("clip.projector_type", "mlp"), kUnreadPicture, "image_grid_pinpoints"},
    {"LlavaWithOddPinpoints",
     [](GgufBuilder& b) {
       b.without("clip.projector_type").text("clip.projector_type", "mlp");
       b.numbers<int32_t>("clip.vision.image_grid_pinpoints", 5, {8, 8, 8});
     },
     kUnreadPicture, "pairs of height and width"},
};

class ForeignGgufEyes : public testing::TestWithParam<ModelCase> {};

TEST_P(ForeignGgufEyes, LeaveTheTextModel) {
  GgufBuilder builder = tiny_eyes();
  GetParam().change(builder);
  const TempDir directory;
  const auto file = directory.add("model.gguf", tiny_text().bytes());
  directory.add("eyes.gguf", builder.bytes());
  const Error error = picture_error(file);
  EXPECT_STREQ(to_string(error.code()), to_string(GetParam().code)) << error.what();
  EXPECT_THAT(error.hint(), HasSubstr(GetParam().names));
}

INSTANTIATE_TEST_SUITE_P(Cases, ForeignGgufEyes, testing::ValuesIn(kForeignEyes),
                         [](const auto& test) { return std::string(test.param.name); });

INSTANTIATE_TEST_SUITE_P(Cases, HostileGgufEyes, testing::ValuesIn(kEyeCases),
                         [](const auto& test) { return std::string(test.param.name); });

}  // namespace
}  // namespace galago
