// NaFlex directories damaged in one place each: the exact code, and the file and field named in the text.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "formats/config/siglip_config.h"
#include "support/damaged_models.h"

namespace galago {
namespace {

using test::case_name;
using test::EditCase;
using test::kInvalid;
using test::kUnsupported;

constexpr const char* kConfig = "config.json";
constexpr const char* kPixels = "preprocessor_config.json";

const EditCase kCases[] = {
    {"NoSquareOfPositions", kConfig, "\"num_patches\": 16", "\"num_patches\": 15", kInvalid,
     "vision_config.num_patches: got 15, expected a square number"},
    {"NoPositions", kConfig, "\"num_patches\": 16", "\"num_patches\": 0", kInvalid,
     "vision_config.num_patches: got 0"},
    {"HugePositions", kConfig, "\"num_patches\": 16", "\"num_patches\": 16777217", kInvalid,
     "vision_config.num_patches: got 16777217"},
    {"OtherPositions", kConfig, "\"num_patches\": 16", "\"num_patches\": 25", kInvalid,
     "shape of vision_model.embeddings.position_embedding.weight: got [16, 24], expected [25, 24]"},
    {"PositionsText", kConfig, "\"num_patches\": 16", "\"num_patches\": \"16\"", kInvalid,
     "vision_config.num_patches: got \"16\""},
    {"OblongPatches", kConfig, "\"patch_size\": 8", "\"patch_size\": [8, 9]", kUnsupported,
     "vision_config.patch_size"},
    {"OtherPatches", kConfig, "\"patch_size\": 8", "\"patch_size\": 7", kInvalid,
     "patch_size: got 8, expected 7, the tower's patch_size"},
    {"FourChannels", kConfig, "\"num_channels\": 3", "\"num_channels\": 4", kUnsupported,
     "vision_config.num_channels: got 4, expected 3"},
    {"NoHead", kConfig, "\"vision_config\": {", "\"vision_config\": {\"vision_use_head\": false,",
     kUnsupported, "vision_config.vision_use_head: got false"},
    {"CalledFixedSize", kConfig, "\"model_type\": \"siglip2\"", "\"model_type\": \"siglip\"", kInvalid,
     "shape of vision_model.embeddings.patch_embedding.weight: got [24, 192], expected [24, 3, 8, 8]"},
    {"NoBudget", kPixels, "\"max_num_patches\": 24", "\"max_num_patches\": 0", kInvalid,
     "max_num_patches: got 0"},
    {"HugeBudget", kPixels, "\"max_num_patches\": 24", "\"max_num_patches\": 65537", kInvalid,
     "max_num_patches: got 65537, expected"},
    {"BudgetNull", kPixels, "\"max_num_patches\": 24", "\"max_num_patches\": null", kInvalid,
     "max_num_patches: got null"},
    {"PatchNull", kPixels, "\"patch_size\": 8", "\"patch_size\": null", kInvalid, "patch_size: got null"},
    {"PatchZero", kPixels, "\"patch_size\": 8", "\"patch_size\": 0", kInvalid, "patch_size: got 0"},
    {"PatchNegative", kPixels, "\"patch_size\": 8", "\"patch_size\": -8", kInvalid, "patch_size: got -8"},
    {"PatchHuge", kPixels, "\"patch_size\": 8", "\"patch_size\": 65536", kInvalid, "patch_size: got 65536"},
    {"PixelsHuge", kPixels, "\"patch_size\": 8", "\"patch_size\": 65535", kInvalid,
     "max_num_patches, patch_size: got 24 patches of 4294836225 pixels, expected at most 357913940"},
    {"PatchOfAnotherTower", kPixels, "\"patch_size\": 8", "\"patch_size\": 16", kInvalid,
     "patch_size: got 16, expected 8, the tower's patch_size"},
    {"UnknownFilter", kPixels, "\"resample\": 2", "\"resample\": 6", kUnsupported, "resample: got 6"},
};

class DamagedNaflex : public testing::TestWithParam<EditCase> {};

TEST_P(DamagedNaflex, IsRefused) { expect_refused(GetParam(), "naflex"); }

INSTANTIATE_TEST_SUITE_P(Naflex, DamagedNaflex, testing::ValuesIn(kCases), case_name);

TEST(NaflexConfig, AbsentKeysAreTheReferences) {
  const SiglipConfig config = parse_siglip2_config(R"({"model_type": "siglip2"})", "config.json");
  EXPECT_EQ(config.vision.model_type, "siglip2_vision_model");
  EXPECT_EQ(config.vision.patch_size, 16);
  EXPECT_EQ(config.vision.patches_per_side(), 16);
  EXPECT_EQ(config.vision.hidden_size, 768);
  EXPECT_EQ(config.text.max_position_embeddings, 64);
  const NaflexConfig pixels = parse_naflex_config(R"({"resample": null})", "preprocessor_config.json");
  EXPECT_TRUE(pixels.do_resize && pixels.do_rescale && pixels.do_normalize);
  EXPECT_EQ(pixels.patch_size, 16);
  EXPECT_EQ(pixels.max_num_patches, 256);
  EXPECT_EQ(pixels.resample, Resample::bilinear);
}

// The reference's class has no such key, whatever an old file says.
TEST(NaflexConfig, ImageSizeIsNotLookedAt) {
  const SiglipConfig config =
      parse_siglip2_config(R"({"vision_config": {"image_size": 8, "num_patches": 9, "patch_size": 14},
                               "model_type": "siglip2"})",
                           "config.json");
  EXPECT_EQ(config.vision.image_size, 42);
}

}  // namespace
}  // namespace galago
