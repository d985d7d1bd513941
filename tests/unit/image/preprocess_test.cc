// Tiles and floats are those of transformers' PIL processors: sizes, grids and bytes exactly, floats to the
// bit.
#include "image/preprocess.h"

#include <gtest/gtest.h>

#include <cstring>

#include "core/limits.h"
#include "galago/error.h"
#include "image_test_support.h"
#include "support/devices.h"

namespace galago {
namespace {

using namespace image_test;

ErrorCode code_of(const auto& call) {
  try {
    call();
  } catch (const Error& error) {
    return error.code();
  }
  ADD_FAILURE() << "no error";
  return ErrorCode::internal;
}

TEST(Preprocess, PlansTheSizesOfTheReference) {
  const nlohmann::json table = read_table("plans.json");
  EXPECT_GE(table["rows"].size(), 500U);
  for (const auto& row : table["rows"]) {
    const PreprocessorConfig config = config_of(table["configs"][row[0].get<std::string>()]);
    const TilePlan plan = plan_stages({row[1], row[2]}, config);
    const std::vector<int64_t> found = {plan.scaled.width, plan.scaled.height, plan.grid.rows,
                                        plan.grid.cols};
    EXPECT_EQ(found, (std::vector<int64_t>{row[3], row[4], row[5], row[6]})) << row.dump();
    EXPECT_EQ(plan_tiles({row[1], row[2]}, config), plan.grid);
  }
}

void expect_tiles(const PixelTable& pillow) {
  const nlohmann::json table = read_table(std::string(pillow.folder) + "tiles.json");
  EXPECT_GE(table["rows"].size(), 70U);
  for (const auto& row : table["rows"]) {
    SCOPED_TRACE(row["config"].get<std::string>() + " " + row["width"].dump() + "x" + row["height"].dump());
    PreprocessorConfig config = config_of(table["configs"][row["config"].get<std::string>()]);
    config.resizer = pillow.resizer;
    const Tiles tiles = make_tiles(synthetic(row["width"], row["height"]), config, test::device());
    EXPECT_EQ(tiles.grid.rows, row["rows"]);
    EXPECT_EQ(tiles.grid.cols, row["cols"]);
    ASSERT_EQ(tiles.count, row["tiles"]);
    EXPECT_EQ(tiles.count * 3 * tiles.height * tiles.width, static_cast<int64_t>(tiles.pixels.size()));
    EXPECT_EQ(checksum(tiles.pixels.data(), tiles.pixels.size()), row["crc32_bytes"]);

    const Tensor floats = normalise(tiles, config, test::device());
    ASSERT_EQ(floats.shape(), (Shape{tiles.count, 3, tiles.height, tiles.width}));
    for (int i = 0; i < 4; ++i) {
      EXPECT_EQ(floats.data()[i], row["first"][i].get<float>());
      EXPECT_EQ(floats.data()[floats.size() - 4 + i], row["last"][i].get<float>());
    }
    EXPECT_EQ(checksum(floats.data(), floats.size() * sizeof(float)), row["crc32_floats"]);
  }
}

TEST(Preprocess, CutsTheTilesOfTheReference) {
  for (const PixelTable& pillow : kPixelTables) {
    SCOPED_TRACE(pillow.folder);
    expect_tiles(pillow);
  }
}

TEST(Preprocess, TheWorkedExampleOfTheDocumentation) {
  PreprocessorConfig config;
  config.size_longest_edge = 2048;
  config.max_image_size_longest_edge = 512;
  const TilePlan plan = plan_stages({100, 80}, config);
  EXPECT_EQ(plan.scaled.width, 2048);
  EXPECT_EQ(plan.scaled.height, 1638);
  EXPECT_EQ(plan.snapped.width, 2048);
  EXPECT_EQ(plan.snapped.height, 2048);
  EXPECT_EQ(plan.grid, (TileGrid{4, 4}));
  EXPECT_EQ(plan.grid.tiles(), 17);
}

TEST(Preprocess, RefusesTooManyTiles) {
  PreprocessorConfig config;
  config.size_longest_edge = 2048;
  config.max_image_size_longest_edge = 16;
  EXPECT_EQ(code_of([&] { plan_tiles({100, 80}, config); }), ErrorCode::input_too_large);
  config.max_image_size_longest_edge = 20000;  // two tiles of 400 million pixels
  config.do_resize = false;
  EXPECT_EQ(code_of([&] { plan_tiles({30000, 10}, config); }), ErrorCode::input_too_large);
}

// 1x4000 becomes 1x3136, which is 49 tiles high; 3136 * (1 / 3136) is less than 1 in double, so the width is
// 0.
TEST(Preprocess, RefusesASideThatSnapsToNothing) {
  PreprocessorConfig config;
  config.size_longest_edge = 3136;
  config.max_image_size_longest_edge = 64;
  EXPECT_EQ(code_of([&] { plan_tiles({1, 4000}, config); }), ErrorCode::input_invalid);
  EXPECT_EQ(plan_tiles({4, 4000}, config), (TileGrid{49, 1}));
  EXPECT_EQ(plan_tiles({4000, 1}, config), (TileGrid{1, 49}));
}

TEST(Preprocess, RefusesSizesThatAreNone) {
  PreprocessorConfig config;
  config.size_longest_edge = 256;
  config.max_image_size_longest_edge = 64;
  for (const ImageSize size : {ImageSize{0, 5}, {5, 0}, {-3, 5}, {limits::kImageSide + 1, 1}}) {
    EXPECT_EQ(code_of([&] { plan_tiles(size, config); }), ErrorCode::input_invalid);
  }
  PreprocessorConfig empty;
  EXPECT_EQ(code_of([&] { plan_tiles({5, 5}, empty); }), ErrorCode::model_invalid);
}

}  // namespace
}  // namespace galago
