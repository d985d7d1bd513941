// pixel_unshuffle by hand, its inverse, the sizes it refuses; the projection; hidden align.
#include "nn/connector/connector.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "support/devices.h"
#include "support/fixtures.h"

namespace galago {
namespace {

using testing::HasSubstr;

// Element c of patch i is 100 i + c.
Tensor numbered(int64_t patches, int64_t channels) {
  Tensor x({patches, channels});
  for (int64_t i = 0; i < x.size(); ++i)
    x.data()[i] = static_cast<float>(100 * (i / channels) + i % channels);
  return x;
}

Tensor unshuffled(const Tensor& x, int64_t scale) {
  const int64_t area = scale * scale;
  Tensor out({x.shape()[0] / area, x.shape()[1] * area});
  pixel_unshuffle(x.matrix(), scale, out.matrix(), test::device());
  return out;
}

TEST(PixelUnshuffle, OneChannelByHand) {
  // Patches 0..15 of a 4 x 4 grid; block rows (0 1 4 5), (2 3 6 7), (8 9 12 13), (10 11 14 15).
  Tensor x({16, 1});
  for (int64_t i = 0; i < 16; ++i) x.data()[i] = static_cast<float>(i);
  EXPECT_EQ(test::values(unshuffled(x, 2)),
            (std::vector<float>{0, 1, 4, 5, 2, 3, 6, 7, 8, 9, 12, 13, 10, 11, 14, 15}));
}

TEST(PixelUnshuffle, ChannelsOfAPatchStayTogether) {
  for (const int64_t channels : {2, 3}) {
    const Tensor out = unshuffled(numbered(16, channels), 2);
    const std::vector<std::vector<int>> blocks = {
        {0, 1, 4, 5}, {2, 3, 6, 7}, {8, 9, 12, 13}, {10, 11, 14, 15}};
    std::vector<float> expected;
    for (const auto& block : blocks)
      for (const int patch : block)
        for (int c = 0; c < channels; ++c) expected.push_back(static_cast<float>(100 * patch + c));
    EXPECT_EQ(test::values(out), expected) << channels << " channels";
  }
}

TEST(PixelUnshuffle, HasAnInverse) {
  const std::vector<std::array<int64_t, 2>> cases = {{4, 4}, {6, 3}, {9, 3}, {27, 3}, {26, 2}, {32, 4}};
  for (const auto& [side, scale] : cases) {
    const Tensor x = test::random_tensor({side * side, 5}, 3);
    const Tensor out = unshuffled(x, scale);
    Tensor back({side * side, 5});
    for (int64_t r = 0; r < out.shape()[0]; ++r)
      for (int64_t k = 0; k < scale * scale; ++k) {
        const int64_t y = r / (side / scale) * scale + k / scale;
        const int64_t z = r % (side / scale) * scale + k % scale;
        std::copy_n(out.data() + r * out.shape()[1] + k * 5, 5, back.data() + (y * side + z) * 5);
      }
    EXPECT_EQ(test::values(back), test::values(x)) << side << " / " << scale;
  }
}

TEST(PixelUnshuffle, ScaleOneChangesNothing) {
  const Tensor x = numbered(9, 2);
  EXPECT_EQ(test::values(unshuffled(x, 1)), test::values(x));
}

TEST(PixelUnshuffle, RefusesWhatDoesNotDivideAndNamesBothNumbers) {
  const auto error = [](int64_t patches, int64_t scale, const Shape& out_shape) {
    const Tensor x = numbered(patches, 2);
    Tensor out(out_shape);
    return test::error_of([&] { pixel_unshuffle(x.matrix(), scale, out.matrix(), test::device()); });
  };
  const Error not_square = error(12, 2, {3, 8});
  EXPECT_EQ(not_square.code(), ErrorCode::input_invalid);
  EXPECT_THAT(not_square.what(), HasSubstr("12"));
  const Error not_divisible = error(25, 2, {6, 8});
  EXPECT_EQ(not_divisible.code(), ErrorCode::input_invalid);
  EXPECT_THAT(not_divisible.what(), HasSubstr("25"));
  EXPECT_THAT(not_divisible.what(), HasSubstr("2"));
  EXPECT_EQ(error(16, 0, {16, 2}).code(), ErrorCode::input_invalid);
  EXPECT_EQ(error(16, -2, {4, 8}).code(), ErrorCode::input_invalid);
  EXPECT_EQ(error(16, 2, {4, 4}).code(), ErrorCode::input_invalid);
  EXPECT_EQ(error(16, 2, {8, 8}).code(), ErrorCode::input_invalid);
}

TEST(RowsFor, DividesTheGrid) {
  EXPECT_EQ(rows_for(32, 4), 64);
  EXPECT_EQ(rows_for(26, 2), 169);
  EXPECT_EQ(rows_for(27, 3), 81);
  EXPECT_EQ(rows_for(5, 1), 25);
  const Error error = test::error_of([] { rows_for(27, 2); });
  EXPECT_EQ(error.code(), ErrorCode::model_invalid);
  EXPECT_THAT(error.what(), HasSubstr("27"));
  EXPECT_EQ(test::error_of([] { rows_for(27, 0); }).code(), ErrorCode::model_invalid);
}

TEST(Connector, ProjectsEveryBlockByHand) {
  // Width 1, scale 2: a row is 4 patches; output 0 sums them, output 1 takes the last.
  const test::TempDir directory;
  test::Weights weights;
  weights.add("modality_projection.proj.weight", test::tensor_of({2, 4}, {1, 1, 1, 1, 0, 0, 0, 1}));
  const Checkpoint checkpoint = weights.checkpoint(directory);
  Binder binder(checkpoint, test::device());
  const Idefics3Connector connector(binder.root(), 1, 2, 2);
  EXPECT_NO_THROW(binder.finish("connector"));
  Tensor features({2, 16, 1});
  for (int64_t i = 0; i < 32; ++i) features.data()[i] = static_cast<float>(i);
  Workspace workspace(test::device());
  const Tensor out = connector.forward(features, workspace);
  EXPECT_EQ(out.shape(), (Shape{2, 4, 2}));
  EXPECT_EQ(test::values(out),
            (std::vector<float>{10, 5, 18, 7, 42, 13, 50, 15, 74, 21, 82, 23, 106, 29, 114, 31}));
  EXPECT_EQ(connector.out_features(), 2);
  EXPECT_EQ(connector.scale(), 2);
}

TEST(Connector, AsksForItsWeightByShape) {
  const test::TempDir directory;
  const Checkpoint checkpoint =
      test::Weights().add_linear("modality_projection.proj", 6, 12, false).checkpoint(directory);
  Binder binder(checkpoint, test::device());
  const Idefics3Connector connector(binder.root(), 4, 2, 6);
  EXPECT_THAT(test::error_of([&] { binder.finish("m"); }).what(),
              HasSubstr("modality_projection.proj.weight: got [6, 12], expected [6, 16]"));
}

TEST(HiddenAlign, IsTheIdentityWhenTheWidthsAgree) {
  const test::TempDir directory;
  const Checkpoint checkpoint = test::Weights().add_linear("proj", 3, 3, true).checkpoint(directory);
  Binder binder(checkpoint, test::device());
  const HiddenAlign align(binder.root(), 3, 3);
  EXPECT_TRUE(align.identity());
  Tensor rows = test::random_tensor({2, 4, 3}, 1);
  const float* data = rows.data();
  const std::vector<float> before = test::values(rows);
  const Tensor out = align.forward(std::move(rows), test::device());
  EXPECT_EQ(out.data(), data);  // handed through, not copied
  EXPECT_EQ(test::values(out), before);
  EXPECT_TRUE(HiddenAlign(3).identity());
}

TEST(HiddenAlign, ProjectsWhenTheWidthsDiffer) {
  const test::TempDir directory;
  test::Weights weights;
  weights.add("with.proj.weight", test::tensor_of({2, 3}, {1, 2, 3, 0, -1, 0}));
  weights.add("with.proj.bias", test::tensor_of({2}, {10, 20}));
  weights.add("without.proj.weight", test::tensor_of({2, 3}, {1, 2, 3, 0, -1, 0}));
  const Checkpoint checkpoint = weights.checkpoint(directory);
  Binder binder(checkpoint, test::device());
  const HiddenAlign with(binder.root().sub("with"), 3, 2);
  const HiddenAlign without(binder.root().sub("without"), 3, 2);
  EXPECT_NO_THROW(binder.finish("align"));
  EXPECT_FALSE(with.identity());
  const Tensor out = with.forward(test::tensor_of({1, 2, 3}, {1, 1, 1, 0, 2, 0}), test::device());
  EXPECT_EQ(out.shape(), (Shape{1, 2, 2}));
  EXPECT_EQ(test::values(out), (std::vector<float>{16, 19, 14, 18}));
  EXPECT_EQ(test::values(without.forward(test::tensor_of({1, 3}, {1, 1, 1}), test::device())),
            (std::vector<float>{6, -1}));
}

TEST(HiddenAlign, RefusesRowsOfAnotherWidth) {
  const Error error = test::error_of([] {
    HiddenAlign(3).forward(test::random_tensor({2, 4}, 1), test::device());
  });
  EXPECT_EQ(error.code(), ErrorCode::model_invalid);
  EXPECT_THAT(error.what(), HasSubstr("got [2, 4], expected rows of width 3"));
}

}  // namespace
}  // namespace galago
