// Pictures squeezed into one size: one resize, planes, order, and what is refused.
#include "image/fixed_size.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "image/resize.h"
#include "support/devices.h"
#include "support/fixtures.h"

namespace galago {
namespace {

RgbImage counting(int64_t width, int64_t height) {
  RgbImage image{.width = width, .height = height, .pixels = {}};
  for (int64_t i = 0; i < width * height * 3; ++i) image.pixels.push_back(static_cast<uint8_t>(i * 7));
  return image;
}

FixedSizeConfig size_of(int64_t height, int64_t width, bool resize = true) {
  FixedSizeConfig config;
  config.do_resize = resize;
  config.height = height;
  config.width = width;
  return config;
}

TEST(FixedSize, GivesPlanesOfTheResizedPictureInOrder) {
  const std::vector<RgbImage> images{counting(5, 9), counting(20, 3)};
  const Tiles tiles = make_fixed_size_tiles(images, size_of(4, 6), test::device());
  EXPECT_EQ(tiles.count, 2);
  EXPECT_EQ(tiles.height, 4);
  EXPECT_EQ(tiles.width, 6);
  ASSERT_EQ(tiles.pixels.size(), 2U * 3 * 4 * 6);
  for (size_t t = 0; t < 2; ++t) {
    const RgbImage small = resize(images[t], {6, 4}, Resample::bicubic, Resizer::pillow13, test::device());
    for (size_t c = 0; c < 3; ++c)
      for (size_t i = 0; i < 24; ++i) EXPECT_EQ(tiles.pixels[(t * 3 + c) * 24 + i], small.pixels[i * 3 + c]);
  }
}

TEST(FixedSize, WithoutResizeTakesOnlyPicturesOfTheSize) {
  const std::vector<RgbImage> right{counting(6, 4)};
  EXPECT_EQ(make_fixed_size_tiles(right, size_of(4, 6, false), test::device()).pixels[1], right[0].pixels[3]);
  const std::vector<RgbImage> wrong{counting(4, 6)};
  const Error error =
      test::error_of([&] { make_fixed_size_tiles(wrong, size_of(4, 6, false), test::device()); });
  EXPECT_EQ(error.code(), ErrorCode::input_invalid);
  EXPECT_THAT(error.what(), testing::HasSubstr("got 4 x 6, expected 6 x 4"));
}

TEST(FixedSize, RefusesMoreThanMemoryShouldHold) {
  const std::vector<RgbImage> one{counting(2, 2)};
  EXPECT_EQ(test::error_of([&] { make_fixed_size_tiles(one, size_of(65535, 65535), test::device()); }).code(),
            ErrorCode::input_too_large);
}

}  // namespace
}  // namespace galago
