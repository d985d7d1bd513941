// The SigLIP tower's pieces by hand, and how padding and batching must not matter.
#include "nn/vision/siglip.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "support/devices.h"
#include "tiny_tower.h"

namespace galago {
namespace {

using testing::HasSubstr;

TEST(UnfoldPatches, GoesOverTheGridThenChannelsThenPixels) {
  // Two channels of 4 x 4 pixels, patches of 2: pixel (y, x) of channel c holds 100 c + 10 y + x.
  Tensor tile({2, 4, 4});
  for (int64_t i = 0; i < 32; ++i)
    tile.data()[i] = static_cast<float>(100 * (i / 16) + 10 * (i / 4 % 4) + i % 4);
  Tensor rows({4, 8});
  test::device().unfold_patches({tile.data(), 2, 4, 4}, 2, rows.matrix());
  EXPECT_EQ(test::values(rows),
            (std::vector<float>{0,  1,  10, 11, 100, 101, 110, 111, 2,  3,  12, 13, 102, 103, 112, 113,
                                20, 21, 30, 31, 120, 121, 130, 131, 22, 23, 32, 33, 122, 123, 132, 133}));
}

TEST(UnfoldPatches, LeavesOutPixelsBeyondTheLastWholePatch) {
  // 3 x 5 pixels in patches of 2: one row of two patches; row 2 and column 4 are left out.
  Tensor tile({1, 3, 5});
  for (int64_t i = 0; i < 15; ++i) tile.data()[i] = static_cast<float>(10 * (i / 5) + i % 5);
  Tensor rows({2, 4});
  test::device().unfold_patches({tile.data(), 1, 3, 5}, 2, rows.matrix());
  EXPECT_EQ(test::values(rows), (std::vector<float>{0, 1, 10, 11, 2, 3, 12, 13}));
}

TEST(ActivationFromName, KnowsTheNamesOfTransformers) {
  EXPECT_EQ(activation_from_name("gelu_pytorch_tanh", "f"), kernels::Activation::gelu_tanh);
  EXPECT_EQ(activation_from_name("gelu", "f"), kernels::Activation::gelu_erf);
  EXPECT_EQ(activation_from_name("quick_gelu", "f"), kernels::Activation::quick_gelu);
  EXPECT_EQ(activation_from_name("silu", "f"), kernels::Activation::silu);
  EXPECT_EQ(activation_from_name("relu", "f"), kernels::Activation::relu);
  const Error error = test::error_of([] { activation_from_name("tanh", "the field"); });
  EXPECT_EQ(error.code(), ErrorCode::model_unsupported);
  EXPECT_EQ(error.where(), "the field");
  EXPECT_EQ(error.got(), "tanh");
}

Tensor tower_features(const SiglipTower& tower, const PixelBatch& batch, int64_t begin, int64_t count) {
  Workspace workspace(test::device());
  return std::move(*tower.forward(batch, begin, count, workspace).last_hidden_state);
}

TEST(SiglipTower, TilesDoNotSeeEachOther) {
  test::TinyTower tiny;
  const auto tower = tiny.load();
  const PixelBatch batch{.pixels = test::random_tensor({3, 3, 8, 8}, 1), .patch_mask = {}};
  const Tensor together = tower_features(*tower, batch, 0, 3);
  EXPECT_EQ(together.shape(), (Shape{3, 16, 8}));
  for (int64_t t = 0; t < 3; ++t) {
    const Tensor alone = tower_features(*tower, batch, t, 1);
    EXPECT_LT(test::max_difference(alone.matrix(), together.matrix().slice_rows(t * 16, 16)), 1e-6);
  }
  EXPECT_GT(test::max_difference(together.matrix().slice_rows(0, 16), together.matrix().slice_rows(16, 16)),
            1e-2);
}

TEST(SiglipTower, PaddedPatchesDoNotReachThePicture) {
  test::TinyTower tiny;
  const auto tower = tiny.load();
  PixelBatch batch{.pixels = test::random_tensor({1, 3, 8, 8}, 2), .patch_mask = std::vector<uint8_t>(16, 1)};
  const Tensor whole = tower_features(*tower, batch, 0, 1);
  for (size_t i = 8; i < 16; ++i) batch.patch_mask[i] = 0;  // the lower half
  const Tensor padded = tower_features(*tower, batch, 0, 1);
  for (int64_t i = 3 * 8 * 4; i < 3 * 8 * 8; ++i)
    if (i % 64 >= 32) batch.pixels.data()[i] = 9;  // other pixels in the padding
  const Tensor changed = tower_features(*tower, batch, 0, 1);
  EXPECT_LT(test::max_difference(padded.matrix().slice_rows(0, 8), changed.matrix().slice_rows(0, 8)), 1e-6);
  EXPECT_GT(test::max_difference(padded.matrix().slice_rows(0, 8), whole.matrix().slice_rows(0, 8)), 1e-3);
}

TEST(SiglipTower, AnEmptyMaskMeansAllPicture) {
  test::TinyTower tiny;
  const auto tower = tiny.load();
  PixelBatch batch{.pixels = test::random_tensor({1, 3, 8, 8}, 3), .patch_mask = {}};
  const Tensor without = tower_features(*tower, batch, 0, 1);
  batch.patch_mask.assign(16, 1);
  EXPECT_EQ(test::max_difference(without.matrix(), tower_features(*tower, batch, 0, 1).matrix()), 0);
}

TEST(SiglipTower, PositionsTellEqualPatchesApart) {
  test::TinyTower tiny;
  const auto tower = tiny.load();
  PixelBatch batch{.pixels = Tensor({1, 3, 8, 8}), .patch_mask = {}};
  std::fill_n(batch.pixels.data(), batch.pixels.size(), 0.25F);
  const Tensor features = tower_features(*tower, batch, 0, 1);
  EXPECT_GT(test::max_difference(features.matrix().slice_rows(0, 1), features.matrix().slice_rows(5, 1)),
            1e-3);
  std::vector<int32_t> identity(16);
  for (size_t i = 0; i < identity.size(); ++i) identity[i] = static_cast<int32_t>(i);
  EXPECT_EQ(tower->position_ids(batch), identity);
}

TEST(SiglipTower, ReadsThreeChannelsOnly) {
  test::TinyTower tiny;
  tiny.config.num_channels = 4;
  const Error error = test::error_of([&] { tiny.load(); });
  EXPECT_EQ(error.code(), ErrorCode::model_unsupported);
  EXPECT_THAT(error.what(), HasSubstr("num_channels"));
}

}  // namespace
}  // namespace galago
