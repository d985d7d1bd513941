// Resizing on the fast kernels and on their scalar twins gives the same bytes: all filters, every resizer,
// random sizes, and those in which a side is one pixel or changes a hundredfold. A chain of resizes equals
// its steps, and threads do not matter.
#include <gtest/gtest.h>

#include <algorithm>
#include <random>

#include "galago/error.h"
#include "image/resize.h"
#include "image_test_support.h"
#include "kernels/kernels.h"
#include "support/devices.h"

namespace galago {
namespace {

constexpr Resample kFilters[] = {Resample::nearest, Resample::bilinear, Resample::bicubic,
                                 Resample::lanczos, Resample::box,      Resample::hamming};

std::mt19937 engine(3);

int64_t between(int64_t least, int64_t most) {
  return std::uniform_int_distribution<int64_t>(least, most)(engine);
}

RgbImage noise(ImageSize size) {
  RgbImage image{.width = size.width, .height = size.height, .pixels = {}};
  image.pixels.resize(static_cast<size_t>(size.width * size.height * 3));
  // Black and white beside each other: sums leave 0..255 on both sides.
  for (uint8_t& byte : image.pixels)
    byte = static_cast<uint8_t>(between(0, 2) == 0 ? between(0, 255) : 255 * between(0, 1));
  return image;
}

bool in_torch(Resample filter) {
  return filter != Resample::nearest && filter != Resample::box && filter != Resample::hamming;
}

void expect_equal(ImageSize from, ImageSize to) {
  SCOPED_TRACE(std::to_string(from.width) + "x" + std::to_string(from.height) + " to " +
               std::to_string(to.width) + "x" + std::to_string(to.height));
  const RgbImage image = noise(from);
  for (const Resample filter : kFilters) {
    for (const Resizer resizer : {Resizer::pillow13, Resizer::pillow12, Resizer::torch}) {
      if (resizer == Resizer::torch && !in_torch(filter)) continue;
      const auto run = [&](test::Backend backend) {
        return resize(image, to, filter, resizer, test::device(backend)).pixels;
      };
      EXPECT_TRUE(run(test::Backend::cpu) == run(test::Backend::reference))
          << "filter " << static_cast<int>(filter) << ", resizer " << static_cast<int>(resizer);
    }
  }
}

TEST(ResizeTwins, AtRandomSizes) {
  for (int i = 0; i < 60; ++i)
    expect_equal({between(1, 140), between(1, 140)}, {between(1, 140), between(1, 140)});
}

TEST(ResizeTwins, WhereOneSideIsOnePixel) {
  for (const auto& [from, to] : {std::pair<ImageSize, ImageSize>{{1, 1}, {64, 65}},
                                 {{1, 1}, {1, 700}},
                                 {{90, 1}, {1, 90}},
                                 {{1, 33}, {33, 1}},
                                 {{63, 129}, {1, 1}}})
    expect_equal(from, to);
}

TEST(ResizeTwins, WhereASideChangesAHundredfold) {
  for (const auto& [from, to] : {std::pair<ImageSize, ImageSize>{{4000, 3}, {40, 300}},
                                 {{3, 4000}, {300, 40}},  // Pillow shrinks the height first
                                 {{2, 2}, {200, 199}},
                                 {{1501, 40}, {7, 4001}}})
    expect_equal(from, to);
}

TEST(ResizeTwins, AChainEqualsItsSteps) {
  for (int i = 0; i < 12; ++i) {
    const ImageSize from{between(1, 200), between(1, 200)}, middle{between(1, 300), between(1, 300)},
        to{between(1, 300), between(1, 300)};
    const RgbImage image = noise(from);
    const Resample filter = kFilters[static_cast<size_t>(i) % std::size(kFilters)];
    const Resizer resizer = i % 2 == 0 ? Resizer::pillow13 : Resizer::pillow12;
    const RgbImage steps =
        resize(resize(image, middle, filter, resizer, test::device()), to, filter, resizer, test::device());
    for (const int threads : {1, 2, 5}) {
      std::vector<uint8_t> chained(steps.pixels.size());
      ResizeChain(from)
          .then(middle, filter, resizer)
          .then(to, filter, resizer)
          .run(image, {chained.data(), PictureLayout::interleaved(to.height, to.width)},
               *kernels::cpu_device(threads));
      EXPECT_TRUE(chained == steps.pixels) << "case " << i << ", " << threads << " threads";
    }
  }
}

TEST(ResizeTwins, AChainRefusesAPictureOfAnotherSize) {
  const RgbImage image = noise({4, 3});
  std::vector<uint8_t> out(27);
  EXPECT_THROW(ResizeChain({3, 4})
                   .then({3, 3}, Resample::bilinear, Resizer::pillow13)
                   .run(image, {out.data(), PictureLayout::planar(3, 3)}, test::device()),
               Error);
}

}  // namespace
}  // namespace galago
