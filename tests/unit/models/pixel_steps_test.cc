// The resize step for towers fed from outside: the same bytes as the preprocessor's resize.
#include "models/pixel_steps.h"

#include <gtest/gtest.h>

#include "image/resize.h"
#include "support/devices.h"
#include "support/fixtures.h"

namespace galago {
namespace {

// Two tiles [2, 3, height, width] of multiples of 1/255, and the same as images.
struct Tiles8Bit {
  Tensor pixels;
  std::vector<RgbImage> images;
};

Tiles8Bit two_tiles(int64_t height, int64_t width) {
  Tiles8Bit tiles{.pixels = Tensor({2, 3, height, width}), .images = {}};
  for (int64_t t = 0; t < 2; ++t) {
    RgbImage image{.width = width, .height = height, .pixels = {}};
    image.pixels.resize(static_cast<size_t>(height * width * 3));
    for (int64_t c = 0; c < 3; ++c)
      for (int64_t i = 0; i < height * width; ++i) {
        const auto value = static_cast<uint8_t>((i * 37 + c * 91 + t * 13) % 256);
        image.pixels[static_cast<size_t>(i * 3 + c)] = value;
        tiles.pixels.data()[((t * 3 + c) * height * width) + i] = static_cast<float>(value) / 255;
      }
    tiles.images.push_back(std::move(image));
  }
  return tiles;
}

TEST(ResizeStep, GivesTheBytesOfThePreprocessor) {
  const Tiles8Bit tiles = two_tiles(9, 14);
  for (const Resample filter : {Resample::lanczos, Resample::bicubic, Resample::bilinear}) {
    const Tensor out = create_resize_fn(6, filter, test::shared_device())(tiles.pixels);
    ASSERT_EQ(out.shape(), (Shape{2, 3, 6, 6}));
    for (int64_t t = 0; t < 2; ++t) {
      const RgbImage expected =
          resize(tiles.images[static_cast<size_t>(t)], {6, 6}, filter, Resizer::pillow13, test::device());
      for (int64_t c = 0; c < 3; ++c)
        for (int64_t i = 0; i < 36; ++i)
          EXPECT_EQ(out.data()[(t * 3 + c) * 36 + i],
                    static_cast<float>(expected.pixels[static_cast<size_t>(i * 3 + c)]) / 255);
    }
  }
}

TEST(ResizeStep, RefusesWhatIsNoPicture) {
  EXPECT_EQ(test::error_of([] { create_resize_fn(0, Resample::lanczos, test::shared_device()); }).code(),
            ErrorCode::usage);
  const PixelTransform step = create_resize_fn(4, Resample::lanczos, test::shared_device());
  Tensor bright({1, 3, 2, 2});
  std::fill_n(bright.data(), bright.size(), 1.5F);
  EXPECT_EQ(test::error_of([&] { step(bright); }).code(), ErrorCode::input_invalid);
  EXPECT_EQ(test::error_of([&] { step(Tensor({3, 2, 2})); }).code(), ErrorCode::input_invalid);
}

}  // namespace
}  // namespace galago
