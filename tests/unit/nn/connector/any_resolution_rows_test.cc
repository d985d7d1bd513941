// Which rows stay and in which order: by hand, and against transformers' processor and model for many shapes.
#include "nn/connector/any_resolution_rows.h"

#include <gtest/gtest.h>

#include <fstream>
#include <nlohmann/json.hpp>

#include "support/devices.h"
#include "support/fixtures.h"

namespace galago {
namespace {

// Row i of all tiles holds i.
Tensor numbered(const TiledPicture& picture) {
  const int64_t patches = picture.patches_per_side * picture.patches_per_side;
  Tensor tiles({picture.grid.tiles(), patches, 1});
  for (int64_t i = 0; i < tiles.size(); ++i) tiles.data()[i] = static_cast<float>(i);
  return tiles;
}

std::vector<float> order(const TiledPicture& picture) {
  const float newline = -1;
  return test::values(any_resolution_rows(numbered(picture), picture, {&newline, 1, 1}, test::device()));
}

// CRC-32 (zlib's) of the order as little-endian 32-bit integers.
std::string checksum(const std::vector<float>& values) {
  uint32_t crc = ~0U;
  for (const float value : values) {
    const auto number = static_cast<int32_t>(value);
    for (int byte = 0; byte < 4; ++byte) {
      crc ^= static_cast<uint32_t>(number) >> (8 * byte) & 0xFF;
      for (int bit = 0; bit < 8; ++bit) crc = crc >> 1 ^ (crc & 1 ? 0xEDB88320U : 0);
    }
  }
  char text[9];
  std::snprintf(text, sizeof text, "%08x", ~crc);
  return text;
}

TEST(AnyResolutionRows, ByHand) {
  // 1 x 2 tiles of 2 x 2 patches, nothing padded: the whole picture's 0..3, then rows 4 5 8 9 and 6 7 10 11.
  const TiledPicture picture{.height = 10, .width = 20, .grid = {1, 2}, .patches_per_side = 2};
  EXPECT_EQ(rows_for(picture), 14);
  EXPECT_EQ(order(picture), (std::vector<float>{0, 1, 2, 3, 4, 5, 8, 9, -1, 6, 7, 10, 11, -1}));
}

TEST(AnyResolutionRows, LeavesOutRowsOfPadding) {
  // 2 x 2 tiles of 2 x 2 patches, a picture half as high as wide: 4 x 4 patches, the first and last row bars.
  const TiledPicture picture{.height = 10, .width = 20, .grid = {2, 2}, .patches_per_side = 2};
  const PatchWindow window = unpadded_window(picture);
  EXPECT_EQ(window.top, 1);
  EXPECT_EQ(window.rows, 2);
  EXPECT_EQ(window.left, 0);
  EXPECT_EQ(window.cols, 4);
  EXPECT_EQ(order(picture), (std::vector<float>{0, 1, 2, 3, 6, 7, 10, 11, -1, 12, 13, 16, 17, -1}));
}

TEST(AnyResolutionRows, LeavesOutColumnsOfPadding) {
  const TiledPicture picture{.height = 20, .width = 10, .grid = {2, 2}, .patches_per_side = 2};
  EXPECT_EQ(order(picture), (std::vector<float>{0, 1, 2, 3, 5, 8, -1, 7, 10, -1, 13, 16, -1, 15, 18, -1}));
}

TEST(AnyResolutionRows, AProductJustBelowAWholeNumberCountsAsThatNumber) {
  // 49 * (54 / 98) is 26.999999999999996 in double: 27 columns are covered, 13 go on each side, 28 stay.
  const TiledPicture picture{.height = 98, .width = 49, .grid = {2, 2}, .patches_per_side = 27};
  EXPECT_EQ(unpadded_window(picture).cols, 28);
  EXPECT_EQ(rows_for(picture), 729 + 54 * 29);
}

TEST(AnyResolutionRows, AVeryLongPictureMayLeaveTheWholePictureOnly) {
  const TiledPicture picture{.height = 1, .width = 1000, .grid = {2, 2}, .patches_per_side = 2};
  EXPECT_EQ(rows_for(picture), 4);
  EXPECT_EQ(order(picture), (std::vector<float>{0, 1, 2, 3}));
}

TEST(AnyResolutionRows, AgreesWithTransformers) {
  std::ifstream file(test::data_path("images/any_resolution.json"));
  const nlohmann::json table = nlohmann::json::parse(file);
  EXPECT_GE(table["plans"].size(), 800U);
  for (const auto& row : table["plans"]) {
    SCOPED_TRACE(row.dump());
    const auto& shape = table["shapes"][row[0].get<std::string>()];
    const int64_t side = shape["side"];
    const TiledPicture picture{.height = row[2],
                               .width = row[1],
                               .grid = {row[3].get<int64_t>() / side, row[4].get<int64_t>() / side},
                               .patches_per_side = shape["patches"]};
    EXPECT_EQ(rows_for(picture), row[7].get<int64_t>());
    EXPECT_EQ(checksum(order(picture)), row[8].get<std::string>());
  }
}

TEST(AnyResolutionRows, RefusesOtherTiles) {
  const TiledPicture picture{.height = 10, .width = 20, .grid = {1, 2}, .patches_per_side = 2};
  const float newline = -1;
  for (const Shape& shape : {Shape{2, 4, 1}, {3, 5, 1}, {12, 1}})
    EXPECT_EQ(test::error_of([&] {
                any_resolution_rows(Tensor(shape), picture, {&newline, 1, 1}, test::device());
              }).code(),
              ErrorCode::internal);
}

}  // namespace
}  // namespace galago
