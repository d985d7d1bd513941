// Resizing is Pillow's, bit for bit: synthetic pictures against resize.json, and what must hold without
// goldens.
#include "image/resize.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "galago/error.h"
#include "image_test_support.h"
#include "support/devices.h"

namespace galago {
namespace {

using namespace image_test;

TEST(Resize, GivesTheBytesOfPillow) {
  for (const PixelTable& table : kPixelTables) {
    SCOPED_TRACE(table.folder);
    const nlohmann::json rows = read_table(std::string(table.folder) + "resize.json")["rows"];
    EXPECT_GE(rows.size(), 570U);
    RgbImage source;  // the rows of one size stand together
    for (const auto& row : rows) {
      const ImageSize from{row[0], row[1]}, to{row[2], row[3]};
      if (source.width != from.width || source.height != from.height)
        source = synthetic(from.width, from.height);
      const RgbImage resized = resize(source, to, filter_named(row[4]), table.resizer, test::device());
      EXPECT_EQ(resized.width, to.width);
      EXPECT_EQ(resized.height, to.height);
      EXPECT_EQ(checksum(resized.pixels.data(), resized.pixels.size()), row[5]) << row.dump();
    }
  }
}

// Where both make the same picture there would be nothing to choose.
TEST(Resize, TheTwoPillowsDifferForPortraitsThatShrink) {
  const auto differs = [](ImageSize from, ImageSize to) {
    const RgbImage image = synthetic(from.width, from.height);
    return resize(image, to, Resample::bicubic, Resizer::pillow13, test::device()).pixels !=
           resize(image, to, Resample::bicubic, Resizer::pillow12, test::device()).pixels;
  };
  EXPECT_TRUE(differs({20, 30}, {24, 16}));
  EXPECT_FALSE(differs({30, 20}, {24, 16}));
  EXPECT_FALSE(differs({40, 60}, {30, 40}));  // 20 rows less, 10 columns less: not more than twice as many
  EXPECT_TRUE(differs({40, 61}, {30, 40}));
}

TEST(Resize, KeepsAFlatColourFlat) {
  RgbImage image{.width = 13, .height = 9, .pixels = std::vector<uint8_t>(13 * 9 * 3, 77)};
  for (const Resample filter : {Resample::lanczos, Resample::bicubic, Resample::bilinear, Resample::nearest,
                                Resample::box, Resample::hamming}) {
    const RgbImage out = resize(image, {31, 4}, filter, Resizer::pillow13, test::device());
    EXPECT_TRUE(std::all_of(out.pixels.begin(), out.pixels.end(), [](uint8_t v) { return v == 77; }));
  }
}

TEST(Resize, AveragesWhenItShrinks) {
  // Two pixels become one: bilinear weighs both alike.
  const RgbImage image{.width = 2, .height = 1, .pixels = {0, 10, 20, 100, 30, 21}};
  const RgbImage out = resize(image, {1, 1}, Resample::bilinear, Resizer::pillow13, test::device());
  EXPECT_EQ(out.pixels, (std::vector<uint8_t>{50, 20, 21}));  // 20.5 rounds up
}

TEST(Resize, RefusesNoPixels) {
  const RgbImage image = synthetic(3, 3);
  for (const auto& [width, height] : {std::pair{0, 5}, {5, 0}, {-1, 5}}) {
    EXPECT_THROW(resize(image, {width, height}, Resample::lanczos, Resizer::pillow13, test::device()), Error);
  }
}

}  // namespace
}  // namespace galago
