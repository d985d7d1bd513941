// Resizing is Pillow's, bit for bit: synthetic pictures against resize.json, and what must hold without
// goldens.
#include "image/resize.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "galago/error.h"
#include "image_test_support.h"

namespace galago {
namespace {

using namespace image_test;

TEST(Resize, GivesTheBytesOfPillow) {
  const nlohmann::json rows = read_table("resize.json")["rows"];
  EXPECT_GE(rows.size(), 120U);
  RgbImage source;  // the rows of one size stand together
  for (const auto& row : rows) {
    const int64_t width = row["from"][0];
    const int64_t height = row["from"][1];
    if (source.width != width || source.height != height) source = synthetic(width, height);
    const RgbImage resized = resize(source, row["to"][0], row["to"][1], filter_named(row["filter"]));
    EXPECT_EQ(resized.width, row["to"][0]);
    EXPECT_EQ(resized.height, row["to"][1]);
    EXPECT_EQ(checksum(resized.pixels.data(), resized.pixels.size()), row["crc32"]) << row.dump();
  }
}

TEST(Resize, KeepsAFlatColourFlat) {
  RgbImage image{.width = 13, .height = 9, .pixels = std::vector<uint8_t>(13 * 9 * 3, 77)};
  for (const Resample filter :
       {Resample::lanczos, Resample::bicubic, Resample::bilinear, Resample::nearest}) {
    const RgbImage out = resize(image, 31, 4, filter);
    EXPECT_TRUE(std::all_of(out.pixels.begin(), out.pixels.end(), [](uint8_t v) { return v == 77; }));
  }
}

TEST(Resize, AveragesWhenItShrinks) {
  // Two pixels become one: bilinear weighs both alike.
  const RgbImage image{.width = 2, .height = 1, .pixels = {0, 10, 20, 100, 30, 21}};
  const RgbImage out = resize(image, 1, 1, Resample::bilinear);
  EXPECT_EQ(out.pixels, (std::vector<uint8_t>{50, 20, 21}));  // 20.5 rounds up
}

TEST(Resize, RefusesNoPixels) {
  const RgbImage image = synthetic(3, 3);
  for (const auto& [width, height] : {std::pair{0, 5}, {5, 0}, {-1, 5}}) {
    EXPECT_THROW(resize(image, width, height, Resample::lanczos), Error);
  }
}

}  // namespace
}  // namespace galago
