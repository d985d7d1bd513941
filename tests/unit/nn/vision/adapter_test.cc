// The adapter in front of fake towers that misbehave in one way each, and of a small real one.
#include "nn/vision/adapter.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "core/cancelled.h"
#include "support/devices.h"
#include "tiny_tower.h"

namespace galago {
namespace {

using testing::HasSubstr;

constexpr int64_t kPatch = 2;
constexpr int64_t kHidden = 3;

enum class Yields { patches, pooled, nothing, too_many_patches, wrong_width, flat };

// Every patch's vector is (mean of its pixels in channel 0, 1, 2).
class FakeTower final : public VisionTower {
 public:
  explicit FakeTower(Yields yields = Yields::patches) : yields_(yields) {}

  TowerOutput forward(const PixelBatch& batch, int64_t begin, int64_t count, Workspace&) const override {
    calls.push_back(count);
    const Shape& shape = batch.pixels.shape();
    int64_t patches = (shape[2] / kPatch) * (shape[3] / kPatch);
    if (yields_ == Yields::nothing) return {};
    if (yields_ == Yields::pooled)
      return {.last_hidden_state = std::nullopt, .pooler_output = Tensor({count, kHidden})};
    if (yields_ == Yields::too_many_patches)
      return {.last_hidden_state = Tensor({count, patches + 1, kHidden})};
    if (yields_ == Yields::wrong_width) return {.last_hidden_state = Tensor({count, patches, kHidden + 1})};
    if (yields_ == Yields::flat) return {.last_hidden_state = Tensor({count * patches, kHidden})};
    Tensor out({count, patches, kHidden});
    for (int64_t t = 0; t < count; ++t)
      for (int64_t i = 0; i < patches; ++i)
        for (int64_t c = 0; c < kHidden; ++c)
          out.data()[(t * patches + i) * kHidden + c] = mean(batch.pixels, begin + t, c, i);
    return {.last_hidden_state = std::move(out), .pooler_output = std::nullopt};
  }
  int64_t patch_size() const override { return kPatch; }
  int64_t hidden_size() const override { return kHidden; }

  mutable std::vector<int64_t> calls;

 private:
  static float mean(const Tensor& pixels, int64_t tile, int64_t channel, int64_t patch) {
    const Shape& shape = pixels.shape();
    const int64_t cols = shape[3] / kPatch;
    float sum = 0;
    for (int64_t y = 0; y < kPatch; ++y)
      for (int64_t x = 0; x < kPatch; ++x)
        sum += pixels.data()[((tile * 3 + channel) * shape[2] + patch / cols * kPatch + y) * shape[3] +
                             patch % cols * kPatch + x];
    return sum / (kPatch * kPatch);
  }

  Yields yields_;
};

PixelBatch batch_of(const Shape& shape) {
  return {.pixels = test::random_tensor(shape, 5), .patch_mask = {}};
}

Tensor forward(const AdapterOptions& options, const PixelBatch& batch, Yields yields = Yields::patches) {
  Workspace workspace(test::device());
  return VisionTowerAdapter(std::make_shared<FakeTower>(yields), options).forward(batch, workspace);
}

Error forward_error(const AdapterOptions& options, const PixelBatch& batch, Yields yields = Yields::patches) {
  return test::error_of([&] { forward(options, batch, yields); });
}

TEST(NormalizeFn, TakesMeanAndDividesByStdChannelByChannel) {
  const PixelTransform normalize = create_normalize_fn({0.5, 0.25, 0}, {0.5, 0.25, 2});
  Tensor pixels({2, 3, 1, 2});
  for (int64_t i = 0; i < 12; ++i) pixels.data()[i] = static_cast<float>(i) / 4;
  EXPECT_EQ(test::values(normalize(pixels)),
            (std::vector<float>{-1, -0.5, 1, 2, 0.5, 0.625, 2, 2.5, 7, 8, 1.25, 1.375}));
}

TEST(NormalizeFn, RefusesAStdThatCannotDivide) {
  for (const double std : {0.0, std::nan(""), std::numeric_limits<double>::infinity()})
    EXPECT_EQ(test::error_of([&] {
                create_normalize_fn({0, 0, 0}, {1, std, 1});
              }).code(),
              ErrorCode::model_invalid);
}

TEST(NormalizeFn, RefusesPixelsOfAnotherShape) {
  const AdapterOptions options{.normalize = create_normalize_fn({0, 0, 0}, {1, 1, 1})};
  for (const Shape& shape : {Shape{8, 8}, Shape{3, 8, 8}, Shape{1, 4, 8, 8}, Shape{1, 1, 8, 8}})
    EXPECT_EQ(forward_error(options, batch_of(shape)).code(), ErrorCode::input_invalid) << to_string(shape);
}

TEST(Adapter, HandsPatchFeaturesThrough) {
  const PixelBatch batch = batch_of({2, 3, 4, 6});
  const Tensor features = forward({.expected_patches = 6, .expected_hidden = 3}, batch);
  EXPECT_EQ(features.shape(), (Shape{2, 6, 3}));
  const float* p = batch.pixels.data();
  EXPECT_FLOAT_EQ(features.data()[0], (p[0] + p[1] + p[6] + p[7]) / 4);
}

TEST(Adapter, NormalisesAfterTheResize) {
  std::vector<std::string> order;
  const AdapterOptions options{.resize =
                                   [&](const Tensor& pixels) {
                                     order.push_back("resize " + to_string(pixels.shape()));
                                     return test::random_tensor({1, 3, 4, 4}, 6);
                                   },
                               .normalize =
                                   [&](const Tensor& pixels) {
                                     order.push_back("normalise " + to_string(pixels.shape()));
                                     return pixels.copy();
                                   },
                               .expected_patches = 4};
  EXPECT_EQ(forward(options, batch_of({1, 3, 10, 12})).shape(), (Shape{1, 4, 3}));
  EXPECT_EQ(order, (std::vector<std::string>{"resize [1, 3, 10, 12]", "normalise [1, 3, 4, 4]"}));
}

TEST(Adapter, RefusesATowerThatYieldsOnlyAPooledVector) {
  const Error error = forward_error({}, batch_of({1, 3, 4, 4}), Yields::pooled);
  EXPECT_EQ(error.code(), ErrorCode::model_invalid);
  EXPECT_THAT(error.what(), HasSubstr("a pooled vector only, [1, 3]"));
}

TEST(Adapter, RefusesATowerThatYieldsNothing) {
  const Error error = forward_error({}, batch_of({1, 3, 4, 4}), Yields::nothing);
  EXPECT_EQ(error.code(), ErrorCode::model_invalid);
  EXPECT_THAT(error.what(), HasSubstr("got nothing"));
}

TEST(Adapter, RefusesFeaturesOfAnotherShapeAndNamesBoth) {
  const auto text = [](Yields yields) {
    const Error error = forward_error({}, batch_of({1, 3, 4, 4}), yields);
    EXPECT_EQ(error.code(), ErrorCode::model_invalid);
    return std::string(error.what());
  };
  EXPECT_THAT(text(Yields::too_many_patches), HasSubstr("got [1, 5, 3], expected [1, 4, 3]"));
  EXPECT_THAT(text(Yields::wrong_width), HasSubstr("got [1, 4, 4], expected [1, 4, 3]"));
  EXPECT_THAT(text(Yields::flat), HasSubstr("got [4, 3], expected [1, 4, 3]"));
}

TEST(Adapter, RefusesATowerThatIsNotTheExpectedOne) {
  const Error patches = forward_error({.expected_patches = 9}, batch_of({1, 3, 4, 4}));
  EXPECT_EQ(patches.code(), ErrorCode::model_invalid);
  EXPECT_THAT(patches.what(), HasSubstr("got [1, 4, 3], expected [1, 9, 3]"));
  const Error hidden = forward_error({.expected_hidden = 5}, batch_of({1, 3, 4, 4}));
  EXPECT_EQ(hidden.code(), ErrorCode::model_invalid);
  EXPECT_THAT(hidden.what(), HasSubstr("expected [1, 4, 5]"));
}

TEST(Adapter, RefusesPixelsThatDoNotFit) {
  for (const Shape& shape : {Shape{4, 4}, Shape{3, 4, 4}, Shape{1, 1, 3, 4, 4}, Shape{1, 1, 4, 4},
                             Shape{1, 4, 4, 4}, Shape{1, 3, 1, 4}, Shape{1, 3, 4, 1}, Shape{0, 3, 4, 4}})
    EXPECT_EQ(forward_error({}, batch_of(shape)).code(), ErrorCode::input_invalid) << to_string(shape);
  EXPECT_THAT(forward_error({}, batch_of({1, 3, 1, 4})).what(), HasSubstr("at least 2 pixels"));
}

TEST(Adapter, RefusesAMaskThatDoesNotFit) {
  PixelBatch batch = batch_of({2, 3, 4, 4});
  batch.patch_mask.assign(7, 1);
  const Error error = forward_error({}, batch);
  EXPECT_EQ(error.code(), ErrorCode::input_invalid);
  EXPECT_THAT(error.what(), HasSubstr("got 7 entries, expected 8"));
  batch.patch_mask.assign(8, 1);
  batch.patch_mask[4] = 0;  // the second tile begins with padding
  EXPECT_THAT(forward_error({}, batch).what(), HasSubstr("tile 1"));
  batch.patch_mask[4] = 1;
  batch.patch_mask[7] = 0;
  EXPECT_EQ(forward({}, batch).shape(), (Shape{2, 4, 3}));
}

TEST(Adapter, ReportsEveryGroupOfTilesAndStopsWhenAsked) {
  const PixelBatch batch = batch_of({5, 3, 4, 4});
  const auto tower = std::make_shared<FakeTower>();
  const VisionTowerAdapter adapter(tower, {.tiles_per_call = 2});
  Workspace workspace(test::device());
  std::vector<std::pair<int64_t, int64_t>> seen;
  adapter.forward(batch, workspace, [&](int64_t done, int64_t total) {
    seen.emplace_back(done, total);
    return true;
  });
  EXPECT_EQ(seen, (std::vector<std::pair<int64_t, int64_t>>{{2, 5}, {4, 5}, {5, 5}}));
  EXPECT_EQ(tower->calls, (std::vector<int64_t>{2, 2, 1}));
  tower->calls.clear();
  EXPECT_THROW(adapter.forward(batch, workspace, [](int64_t done, int64_t) { return done < 2; }), Cancelled);
  EXPECT_EQ(tower->calls, (std::vector<int64_t>{2}));
}

TEST(Adapter, TilesPerCallNeverChangeTheResult) {
  test::TinyTower tiny;
  const auto real = tiny.load();
  // 64 patches a tile: one tile is many rows already, so that every product goes the same way.
  PixelBatch batch{.pixels = test::random_tensor({7, 3, 16, 16}, 8),
                   .patch_mask = std::vector<uint8_t>(static_cast<size_t>(7 * 64), 1)};
  for (const size_t i : {63, 127, 126, 248}) batch.patch_mask[i] = 0;
  for (const std::shared_ptr<const VisionTower>& tower :
       {std::shared_ptr<const VisionTower>(real), std::shared_ptr<const VisionTower>(new FakeTower)}) {
    Workspace workspace(test::device());
    const Tensor one = VisionTowerAdapter(tower, {.tiles_per_call = 1}).forward(batch, workspace);
    for (const int64_t count : {2, 3, 4, 7, 100}) {
      const VisionTowerAdapter adapter(tower, {.tiles_per_call = count});
      EXPECT_EQ(test::max_difference(one.matrix(), adapter.forward(batch, workspace).matrix()), 0);
    }
  }
}

TEST(PatchMask, APatchIsPictureWhenAnyOfItsPixelsIs) {
  // Two tiles of 4 x 5 pixels, patches of 2: a 2 x 2 grid; column 4 is beyond the last whole patch.
  std::vector<uint8_t> pixels(40, 0);
  pixels[0] = 1;           // tile 0, patch 0
  pixels[1 * 5 + 3] = 1;   // tile 0, patch 1
  pixels[3 * 5 + 4] = 1;   // tile 0, left out
  pixels[20 + 3 * 5] = 1;  // tile 1, patch 2
  EXPECT_EQ(patch_mask_from_pixels(pixels, 2, 4, 5, 2), (std::vector<uint8_t>{1, 1, 0, 0, 0, 0, 1, 0}));
}

// A tower with one class token: tile t's rows are 100 t, 100 t + 1, ...
class ClassTower final : public VisionTower {
 public:
  TowerOutput forward(const PixelBatch&, int64_t begin, int64_t count, Workspace&) const override {
    Tensor out({count, 5, 1});
    for (int64_t i = 0; i < count * 5; ++i) out.data()[i] = static_cast<float>(100 * (begin + i / 5) + i % 5);
    return {.last_hidden_state = std::move(out), .pooler_output = std::nullopt};
  }
  int64_t patch_size() const override { return kPatch; }
  int64_t hidden_size() const override { return 1; }
  int64_t class_tokens() const override { return 1; }
};

TEST(Adapter, LeavesOutEachTilesFirstRowsWhereAsked) {
  const auto tower = std::make_shared<ClassTower>();
  Workspace workspace(test::device());
  const PixelBatch batch = batch_of({3, 3, 4, 4});
  const Tensor all =
      VisionTowerAdapter(tower, {.expected_patches = 4, .tiles_per_call = 2}).forward(batch, workspace);
  EXPECT_EQ(all.shape(), (Shape{3, 5, 1}));
  const Tensor some = VisionTowerAdapter(tower, {.expected_patches = 4, .tiles_per_call = 2, .skip_rows = 1})
                          .forward(batch, workspace);
  EXPECT_EQ(test::values(some), (std::vector<float>{1, 2, 3, 4, 101, 102, 103, 104, 201, 202, 203, 204}));
  const Error error =
      test::error_of([&] { VisionTowerAdapter(tower, {.skip_rows = 5}).forward(batch, workspace); });
  EXPECT_EQ(error.code(), ErrorCode::model_invalid);
}

}  // namespace
}  // namespace galago
