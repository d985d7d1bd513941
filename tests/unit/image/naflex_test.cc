// Pictures of any shape as patches: the reference's sizes, the order of pixels, padding, and what is refused.
#include "image/naflex.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "formats/json.h"
#include "image/resize.h"
#include "support/devices.h"
#include "support/fixtures.h"

namespace galago {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

RgbImage counting(int64_t width, int64_t height) {
  RgbImage image{.width = width, .height = height, .pixels = {}};
  for (int64_t i = 0; i < width * height * 3; ++i) image.pixels.push_back(static_cast<uint8_t>(i * 7));
  return image;
}

// Bytes as they are, in place of floats around 0.
NaflexConfig patches_of(int64_t side, int64_t most, bool resize = true) {
  NaflexConfig config;
  config.do_rescale = config.do_normalize = false;
  config.do_resize = resize;
  config.patch_size = side;
  config.max_num_patches = most;
  return config;
}

TEST(Naflex, SizesAreTheReferences) {
  const Json document =
      parse_json(test::read_bytes(test::data_path("goldens/naflex_sizes.json")), "naflex_sizes.json");
  for (const Json& budget : document.at("budgets")) {
    const NaflexConfig config = patches_of(budget.at("patch_size"), budget.at("max_num_patches"));
    for (const Json& row : budget.at("cases")) {
      const PatchGrid grid = plan_patches({.width = row[0], .height = row[1]}, config);
      EXPECT_EQ(grid.cols * config.patch_size, row[2].get<int64_t>()) << budget.at("patch_size") << row;
      EXPECT_EQ(grid.rows * config.patch_size, row[3].get<int64_t>()) << budget.at("patch_size") << row;
      EXPECT_LE(grid.patches(), config.max_num_patches);
    }
  }
}

TEST(Naflex, APatchIsItsPixelsLineByLineWithColoursSideBySide) {
  const std::vector<RgbImage> images{counting(6, 4)};
  const PatchBatch batch = make_patches(images, patches_of(2, 6), test::device());
  EXPECT_THAT(batch.grids, ElementsAre(PatchGrid{.rows = 2, .cols = 3}));
  ASSERT_EQ(batch.patches.shape(), (Shape{1, 6, 12}));
  // The patch below the first: pixels (2, 0), (2, 1), (3, 0), (3, 1).
  const float* row = batch.patches.matrix().row(3);
  const std::vector<uint8_t>& pixels = images[0].pixels;
  for (size_t i = 0; i < 6; ++i) {
    EXPECT_EQ(row[i], pixels[2 * 18 + i]);
    EXPECT_EQ(row[6 + i], pixels[3 * 18 + i]);
  }
}

TEST(Naflex, PicturesKeepTheirShapeAndTheSmallerOneIsPadded) {
  const std::vector<RgbImage> images{counting(40, 8), counting(10, 11)};
  const NaflexConfig config = patches_of(4, 8);
  const PatchBatch batch = make_patches(images, config, test::device());
  EXPECT_THAT(batch.grids, ElementsAre(PatchGrid{.rows = 1, .cols = 5}, PatchGrid{.rows = 3, .cols = 2}));
  ASSERT_EQ(batch.patches.shape(), (Shape{2, 6, 48}));
  const RgbImage small =
      resize(images[0], {.width = 20, .height = 4}, Resample::bilinear, Resizer::pillow13, test::device());
  EXPECT_EQ(batch.patches.matrix().row(4)[2], small.pixels[16 * 3 + 2]);
  for (int64_t c = 0; c < 48; ++c) EXPECT_EQ(batch.patches.matrix().row(5)[c], 0.0F);
}

TEST(Naflex, WithoutResizeTakesOnlyWholePatchesAndNotTooMany) {
  const NaflexConfig config = patches_of(4, 6, false);
  const std::vector<RgbImage> whole{counting(12, 8)};
  EXPECT_THAT(make_patches(whole, config, test::device()).grids,
              ElementsAre(PatchGrid{.rows = 2, .cols = 3}));
  for (const ImageSize size : {ImageSize{13, 8}, ImageSize{12, 9}, ImageSize{16, 8}, ImageSize{3, 3}}) {
    const Error error = test::error_of([&] { plan_patches(size, config); });
    EXPECT_EQ(error.code(), ErrorCode::input_invalid);
    EXPECT_THAT(error.what(), HasSubstr("multiples of 4, and at most 6 patches"));
  }
}

TEST(Naflex, RefusesSizesThatNoPictureHasAndMoreThanMemoryShouldHold) {
  for (const ImageSize size : {ImageSize{0, 8}, ImageSize{8, -1}, ImageSize{65536, 1}})
    EXPECT_EQ(test::error_of([&] { plan_patches(size, patches_of(16, 256)); }).code(),
              ErrorCode::input_invalid);
  const std::vector<RgbImage> three(3, counting(2, 2));
  const Error error = test::error_of([&] { make_patches(three, patches_of(65535, 2), test::device()); });
  EXPECT_EQ(error.code(), ErrorCode::input_too_large);
  EXPECT_THAT(error.what(), HasSubstr("images: got 3 of 1 patches"));
}

}  // namespace
}  // namespace galago
