// Any-resolution tiles against transformers' PIL processor: sizes and bytes exactly, floats to the bit; and
// what is refused before a pixel is touched.
#include "image/any_resolution.h"

#include <gtest/gtest.h>

#include "core/limits.h"
#include "galago/error.h"
#include "image_test_support.h"
#include "support/devices.h"

namespace galago {
namespace {

using namespace image_test;

std::vector<Resolution> pinpoints_of(const nlohmann::json& list) {
  std::vector<Resolution> all;
  for (const auto& size : list) all.push_back({size[0], size[1]});
  return all;
}

// Square tiles of `side` pixels, as the hub's directories have them.
AnyResolutionConfig squares(int64_t side, std::vector<Resolution> pinpoints) {
  AnyResolutionConfig config;
  config.size = {side, side};
  config.crop_size = {side, side};
  config.tile_side = side;
  config.image_grid_pinpoints = std::move(pinpoints);
  return config;
}

ErrorCode code_of(const auto& call) {
  try {
    call();
  } catch (const Error& error) {
    return error.code();
  }
  ADD_FAILURE() << "no error";
  return ErrorCode::internal;
}

TEST(AnyResolution, ChoosesAndFitsAsTheReference) {
  const nlohmann::json table = read_table("any_resolution.json");
  EXPECT_GE(table["plans"].size(), 800U);
  for (const auto& row : table["plans"]) {
    const auto& shape = table["shapes"][row[0].get<std::string>()];
    const AnyResolutionConfig config = squares(shape["side"], pinpoints_of(shape["pinpoints"]));
    const AnyResolutionPlan plan = plan_any_resolution({row[1], row[2]}, config);
    const std::vector<int64_t> found = {plan.canvas.height, plan.canvas.width, plan.fitted.height,
                                        plan.fitted.width};
    EXPECT_EQ(found, (std::vector<int64_t>{row[3], row[4], row[5], row[6]})) << row.dump();
    EXPECT_EQ(plan.grid.rows * config.tile_side, plan.canvas.height);
    EXPECT_EQ(plan.grid.cols * config.tile_side, plan.canvas.width);
  }
}

void expect_tiles(const PixelTable& pillow) {
  const nlohmann::json table = read_table(std::string(pillow.folder) + "any_resolution.json");
  EXPECT_GE(table["tiles"].size(), 80U);
  for (const auto& row : table["tiles"]) {
    SCOPED_TRACE(row.dump());
    const std::string settings = table["settings"][row[0].get<std::string>()].dump();
    AnyResolutionConfig config = parse_any_resolution_config(settings, "settings");
    config.resizer = pillow.resizer;
    const Tiles tiles = make_any_resolution_tiles(synthetic(row[1], row[2]), config, test::device());
    ASSERT_EQ(tiles.count, row[3].get<int64_t>());
    EXPECT_EQ(checksum(tiles.pixels.data(), tiles.pixels.size()), row[4].get<std::string>());
    const Tensor floats = normalise(tiles, config, test::device());
    EXPECT_EQ(checksum(floats.data(), floats.size() * sizeof(float)), row[5].get<std::string>());
  }
}

TEST(AnyResolution, CutsTheTilesOfTheReference) {
  for (const PixelTable& pillow : kPixelTables) {
    SCOPED_TRACE(pillow.folder);
    expect_tiles(pillow);
  }
}

TEST(AnyResolution, PutsBlackBarsAroundThePicture) {
  // 4 x 2 white pixels on a canvas of 4 x 4: one row of padding above and below; two rows of tiles of 2 x 2.
  const AnyResolutionConfig config = squares(2, {{4, 4}});
  const RgbImage white{.width = 4, .height = 2, .pixels = std::vector<uint8_t>(24, 255)};
  const AnyResolutionPlan plan = plan_any_resolution({4, 2}, config);
  EXPECT_EQ(plan.top, 1);
  EXPECT_EQ(plan.left, 0);
  const Tiles tiles = make_any_resolution_tiles(white, config, test::device());
  ASSERT_EQ(tiles.count, 5);
  const std::vector<uint8_t> whole(tiles.pixels.begin(), tiles.pixels.begin() + 12);
  EXPECT_EQ(whole, std::vector<uint8_t>(12, 255));
  const std::vector<uint8_t> upper{0, 0, 255, 255, 0, 0, 255, 255, 0, 0, 255, 255};
  EXPECT_EQ(std::vector<uint8_t>(tiles.pixels.begin() + 12, tiles.pixels.begin() + 24), upper);
  const std::vector<uint8_t> lower{255, 255, 0, 0, 255, 255, 0, 0, 255, 255, 0, 0};
  EXPECT_EQ(std::vector<uint8_t>(tiles.pixels.begin() + 36, tiles.pixels.begin() + 48), lower);
}

TEST(AnyResolution, TheEarlierOfEqualResolutionsWins) {
  // 10 x 10 pixels: 1 x 2 and 2 x 1 tiles of 10 keep and waste the same.
  const ImageSize square{10, 10};
  EXPECT_EQ(select_best_resolution(square, std::vector<Resolution>{{10, 20}, {20, 10}}),
            (Resolution{10, 20}));
  EXPECT_EQ(select_best_resolution(square, std::vector<Resolution>{{20, 10}, {10, 20}}),
            (Resolution{20, 10}));
}

TEST(AnyResolution, RefusesHostileSizes) {
  const AnyResolutionConfig config = squares(24, {{24, 48}});
  for (const ImageSize size : {ImageSize{0, 5}, {5, 0}, {-1, 5}, {limits::kImageSide + 1, 1}})
    EXPECT_EQ(code_of([&] { plan_any_resolution(size, config); }), ErrorCode::input_invalid);
}

TEST(AnyResolution, RefusesWhatCannotBeCut) {
  const auto code = [](const AnyResolutionConfig& config) {
    return code_of([&] { plan_any_resolution({100, 100}, config); });
  };
  EXPECT_EQ(code(squares(24, {{24, 50}})), ErrorCode::model_invalid);
  EXPECT_EQ(code(squares(0, {{24, 48}})), ErrorCode::model_invalid);
  AnyResolutionConfig unlike = squares(24, {{24, 48}});
  unlike.do_resize = unlike.do_center_crop = false;
  unlike.size = {30, 30};  // the base image would be larger than the tiles
  EXPECT_EQ(code(unlike), ErrorCode::model_invalid);
  AnyResolutionConfig huge = squares(24, {{24, 48}});
  huge.size = {limits::kImageSide, limits::kImageSide};
  EXPECT_EQ(code(huge), ErrorCode::model_invalid);
}

TEST(AnyResolution, RefusesTooManyTilesAndPixels) {
  const auto code = [](const AnyResolutionConfig& config) {
    return code_of([&] { plan_any_resolution({100, 100}, config); });
  };
  EXPECT_EQ(code(squares(1, {{limits::kImageSide, limits::kImageSide}})), ErrorCode::input_too_large);
  EXPECT_EQ(code(squares(13000, {{13000, 52000}})), ErrorCode::input_too_large);
  AnyResolutionConfig grown = squares(8, {{8 * 64, 8 * 64}});
  grown.crop_size = {10'000, 10'000};
  EXPECT_EQ(code(grown), ErrorCode::input_too_large);
}

}  // namespace
}  // namespace galago
