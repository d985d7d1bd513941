// What goes through the tower, how much of it at once, and that neither copying nor working ahead changes a
// bit.
#include "runtime/image_encoder.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <numeric>
#include <thread>

#include "core/cancelled.h"
#include "core/handover.h"
#include "support/model_files.h"

namespace galago {
namespace {

using testing::ElementsAre;

// Remembers how many tiles each call of the tower got.
class CountingEngine final : public Engine {
 public:
  explicit CountingEngine(const Engine& engine) : engine_(engine) {}
  std::unique_ptr<FeaturePass> start_image(const PixelBatch& batch, const Memory& memory) const override {
    calls.push_back(batch.pixels.shape()[0]);
    return engine_.start_image(batch, memory);
  }
  int64_t group_size() const override { return engine_.group_size(); }
  Tensor connect(const Tensor& features, Workspace& workspace) const override {
    return engine_.connect(features, workspace);
  }
  Tensor image_rows(Tensor connected, const ImagePlan& plan) const override {
    return engine_.image_rows(std::move(connected), plan);
  }
  const Decoder& decoder() const override { return engine_.decoder(); }
  std::vector<int32_t> position_ids(const PixelBatch& batch) const override {
    return engine_.position_ids(batch);
  }
  int64_t patch_size() const override { return engine_.patch_size(); }

  int64_t tiles() const { return std::accumulate(calls.begin(), calls.end(), int64_t{0}); }
  mutable std::vector<int64_t> calls;

 private:
  const Engine& engine_;
};

// Noise everywhere, or in the first `noisy` columns and rows, white elsewhere.
RgbImage picture(int64_t width, int64_t height, unsigned seed, int64_t noisy = 1 << 20) {
  RgbImage image{.width = width, .height = height, .pixels = {}};
  image.pixels.assign(static_cast<size_t>(width * height * 3), 255);
  std::mt19937 random(seed);
  for (int64_t y = 0; y < std::min(height, noisy); ++y)
    for (int64_t i = 0; i < std::min(width, noisy) * 3; ++i) image.row(y)[i] = static_cast<uint8_t>(random());
  return image;
}

// One model, and what a run of the encoder left behind.
struct Bench {
  explicit Bench(const char* name, int threads = 0)
      : model(name, kernels::cpu_device(threads)), engine(*model.engine) {}

  std::vector<std::vector<float>> encode(const Visuals& visuals, EncodeOptions options = {}) {
    std::vector<ImageSize> sizes;
    for (const RgbImage* image : visuals.images)
      sizes.push_back({.width = image->width, .height = image->height});
    std::vector<VideoFacts> videos;
    for (const VideoSource* video : visuals.videos) videos.push_back(video->facts());
    const PlannedPrompt plan = plan_prompt(*model.frontend, {.prompt = "Hi"}, sizes, {}, videos);
    engine.calls.clear();
    timings = {};
    counts = {};
    options.several = pictures_of(plan) > 1;
    ImageEncoder encoder(*model.frontend, engine, std::move(options));
    std::vector<std::vector<float>> rows;
    for (const EncodedPicture& one : encoder.encode(visuals, plan, {timings, counts}, progress))
      rows.push_back(test::values(*one.rows));
    return rows;
  }
  // All tiles at once, as a trace does it.
  std::vector<float> whole(const RgbImage& image) const {
    Workspace workspace(model.frontend->device());
    const ImagePlan plan = model.frontend->plan({image.width, image.height}, {});
    const PixelBatch batch = model.frontend->pixels(model.frontend->tiles(image, {}));
    const Tensor features = model.engine->encode_image(batch, workspace, {});
    return test::values(model.engine->image_rows(model.engine->connect(features, workspace), plan));
  }

  test::Loaded model;
  CountingEngine engine;
  TileProgress progress;
  Timings timings;
  CacheCounts counts;
};

class EveryFamily : public testing::TestWithParam<const char*> {};
INSTANTIATE_TEST_SUITE_P(Models, EveryFamily,
                         testing::Values("smolvlm_tiles", "grid25_llama3", "llava_clip", "llava_granite"),
                         [](const auto& param) { return param.param; });

TEST_P(EveryFamily, GroupsGiveTheBitsOfAllTilesAtOnce) {
  Bench bench(GetParam());
  const RgbImage image = picture(100, 80, 1);
  const auto rows = bench.encode({.images = {&image}, .videos = {}});
  ASSERT_EQ(rows.size(), 1U);
  EXPECT_EQ(rows[0], bench.whole(image));
  const int64_t tiles = bench.model.frontend->plan({100, 80}, {}).tiles;
  EXPECT_EQ(bench.engine.tiles(), tiles);
  for (const int64_t count : bench.engine.calls) EXPECT_LE(count, bench.engine.group_size());
  EXPECT_EQ(bench.counts.tiles_encoded, tiles);
  EXPECT_EQ(bench.counts.tiles_repeated, 0);
}

// Products of at most 32 rows have a kernel of their own with other rounding; llava_clip's 9 patches a tile
// would be on both sides of it.
class RowsEnough : public testing::TestWithParam<const char*> {};
INSTANTIATE_TEST_SUITE_P(Models, RowsEnough,
                         testing::Values("smolvlm_tiles", "grid25_llama3", "llava_granite"),
                         [](const auto& param) { return param.param; });

TEST_P(RowsEnough, WhiteTilesAreEncodedOnce) {
  Bench bench(GetParam());
  const int64_t side = bench.model.frontend->tiles(picture(8, 8, 1), {}).width;
  const RgbImage image = picture(4 * side, 4 * side, 2, side / 2);
  const int64_t tiles = bench.model.frontend->plan({image.width, image.height}, {}).tiles;
  ASSERT_GT(tiles, 3);
  const auto rows = bench.encode({.images = {&image}, .videos = {}});
  EXPECT_EQ(rows.at(0), bench.whole(image));
  EXPECT_EQ(bench.engine.tiles(), 3);  // the corner, one white tile, the whole picture
  EXPECT_EQ(bench.counts.tiles_encoded, 3);
  EXPECT_EQ(bench.counts.tiles_repeated, tiles - 3);
}

// Two pictures through one workspace, a piece of this and a piece of that.
TEST_P(EveryFamily, APieceIsALayerAndOtherWorkMayComeBetween) {
  Bench bench(GetParam());
  const RgbImage a = picture(100, 80, 1), b = picture(80, 100, 2);
  const std::vector<std::vector<std::vector<float>>> expected = {
      bench.encode({.images = {&a}, .videos = {}}), bench.encode({.images = {&b}, .videos = {}})};
  Workspace workspace(bench.model.frontend->device());
  std::vector<std::unique_ptr<ImageEncoder>> encoders;
  std::vector<std::vector<std::vector<float>>> rows(2);
  for (const RgbImage* one : {&a, &b}) {
    const PlannedPrompt plan =
        plan_prompt(*bench.model.frontend, {.prompt = "Hi"}, {{{one->width, one->height}}}, {}, {});
    encoders.push_back(std::make_unique<ImageEncoder>(*bench.model.frontend, bench.engine, EncodeOptions{}));
    encoders.back()->prepare({.images = {one}, .videos = {}}, plan, [&](PreparedPicture picture) {
      encoders.back()->begin(std::move(picture), {bench.timings, bench.counts});
    });
  }
  bench.counts = {};
  bench.engine.calls.clear();
  int64_t pieces = 0;
  while (encoders[0]->busy() || encoders[1]->busy())
    for (size_t i = 0; i < 2; ++i) {
      if (!encoders[i]->busy()) continue;
      ++pieces;
      if (const auto done = encoders[i]->encode_piece(workspace, {bench.timings, bench.counts}))
        rows[i].push_back(test::values(*done->rows));
    }
  EXPECT_EQ(rows, expected);
  const int64_t layers = bench.model.frontend->config().vision.num_hidden_layers;
  EXPECT_GE(layers, 2);
  EXPECT_GE(pieces, std::ssize(bench.engine.calls) * (layers - 1));  // taps may leave the last out
}

TEST(ImageEncoder, OneByteMakesAnotherTile) {
  Bench bench("smolvlm_tiles");
  RgbImage image = picture(256, 256, 2, 32);  // 4 x 4 tiles of 64
  image.row(200)[200 * 3 + 1] = 254;
  const auto rows = bench.encode({.images = {&image}, .videos = {}});
  EXPECT_EQ(rows.at(0), bench.whole(image));
  EXPECT_EQ(bench.engine.tiles(), 4);
}

TEST(ImageEncoder, APictureGivenTwiceIsEncodedOnce) {
  Bench bench("smolvlm_tiles");
  const RgbImage image = picture(100, 80, 1), other = picture(100, 80, 2);
  const auto rows = bench.encode({.images = {&image, &other, &image}, .videos = {}});
  ASSERT_EQ(rows.size(), 3U);
  EXPECT_EQ(rows[0], bench.whole(image));
  EXPECT_EQ(rows[1], bench.whole(other));
  EXPECT_EQ(rows[2], rows[0]);
  EXPECT_EQ(bench.counts.tiles_encoded, 2 * 17);
  EXPECT_EQ(bench.counts.tiles_repeated, 17);
}

TEST(ImageEncoder, RepeatedFramesAreEncodedOnce) {
  Bench bench("smolvlm2_video");
  const auto first = std::make_shared<const RgbImage>(picture(40, 30, 1));
  const auto second = std::make_shared<const RgbImage>(picture(40, 30, 2));
  const auto video = video_of_frames({first, first, second, first}, 1);
  const auto rows = bench.encode({.images = {}, .videos = {video.get()}});
  ASSERT_GE(rows.size(), 3U);
  EXPECT_EQ(rows[0], rows[1]);
  EXPECT_NE(rows[0], rows[2]);
  EXPECT_EQ(bench.engine.tiles(), 2);
  EXPECT_EQ(bench.counts.tiles_repeated, std::ssize(rows) - 2);
}

TEST(ImageEncoder, MakingReadyOnAnotherThreadChangesNothing) {
  const RgbImage a = picture(100, 80, 1), b = picture(30, 90, 2), c = picture(64, 64, 3);
  const auto square = video_of_frames(
      {std::make_shared<const RgbImage>(c), std::make_shared<const RgbImage>(picture(64, 64, 5))}, 1);
  Bench bench("smolvlm2_video");
  const Visuals visuals{.images = {&a, &b, &c}, .videos = {square.get()}};
  const auto expected = bench.encode(visuals);
  EXPECT_GT(bench.timings.preprocess_ms, 0);

  const PlannedPrompt plan = plan_prompt(*bench.model.frontend, {.prompt = "Hi"},
                                         {{{100, 80}, {30, 90}, {64, 64}}}, {}, {{square->facts()}});
  ImageEncoder encoder(*bench.model.frontend, bench.engine, {.several = true});
  Handover<PreparedPicture> ready;
  const std::jthread maker([&] {
    encoder.prepare(visuals, plan, [&](PreparedPicture one) { ready.give(std::move(one)); });
    ready.end(nullptr);
  });
  Workspace workspace(bench.model.frontend->device());
  std::vector<std::vector<float>> rows;
  while (!ready.exhausted()) {
    auto next = ready.take();
    if (!next) continue;
    encoder.begin(std::move(*next), {bench.timings, bench.counts});
    while (encoder.busy())
      if (const auto done = encoder.encode_piece(workspace, {bench.timings, bench.counts}))
        rows.push_back(test::values(*done->rows));
  }
  EXPECT_EQ(rows, expected);
  EXPECT_EQ(encoder.tiles_done(), plan.tiles);
}

TEST(ImageEncoder, ReportsEveryTileAndStopsWhereItIsTold) {
  const RgbImage a = picture(100, 80, 1), b = picture(256, 256, 2, 32);
  Bench bench("smolvlm_tiles");
  std::vector<int64_t> seen;
  bench.progress = [&](int64_t done, int64_t total) {
    seen.push_back(done);
    EXPECT_EQ(total, 34);
    return true;
  };
  bench.encode({.images = {&a, &b}, .videos = {}});
  EXPECT_EQ(seen.front(), 0);
  EXPECT_EQ(seen.back(), 34);
  EXPECT_TRUE(std::is_sorted(seen.begin(), seen.end()));
  for (const int64_t stop : {int64_t{0}, int64_t{4}, int64_t{17}, int64_t{34}}) {
    bench.progress = [&](int64_t done, int64_t) { return done < stop; };
    EXPECT_THROW(bench.encode({.images = {&a, &b}, .videos = {}}), Cancelled) << stop;
  }
}

// A video whose second frame cannot be read.
class BrokenVideo final : public VideoSource {
 public:
  BrokenVideo() { facts_ = {.size = {40, 30}, .frames = 3, .fps = 1, .duration = 3}; }
  void decode(std::span<const int64_t>, const TakeFrame& take) const override {
    take(0, picture(40, 30, 1));
    throw Error(ErrorCode::input_invalid, {.where = "the second frame"});
  }
};

TEST(ImageEncoder, AFrameThatCannotBeReadIsAnErrorAfterTheOnesBefore) {
  const BrokenVideo video;
  Bench bench("smolvlm2_video");
  FeatureCache cache({}, [] { return Digest{}; });
  const auto encode = [&] { bench.encode({.images = {}, .videos = {&video}}, {.cache = &cache}); };
  EXPECT_EQ(test::error_of(encode).where(), "the second frame");
  EXPECT_EQ(bench.engine.tiles(), 1);
  EXPECT_EQ(test::error_of(encode).where(), "the second frame");
  EXPECT_EQ(bench.engine.tiles(), 0);  // its rows were kept
  EXPECT_EQ(bench.counts.memory_hits, 1);
}

}  // namespace
}  // namespace galago
