// Two linear layers by hand, with and without biases, over several tiles.
#include "nn/connector/mlp_projector.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "support/devices.h"
#include "support/fixtures.h"

namespace galago {
namespace {

using testing::HasSubstr;

// linear_1: (a, b, c) -> (a, b - c); linear_2: (h, k) -> (h + k, 2 h).
test::Weights by_hand(bool bias) {
  test::Weights weights;
  weights.add("linear_1.weight", test::tensor_of({2, 3}, {1, 0, 0, 0, 1, -1}));
  weights.add("linear_2.weight", test::tensor_of({2, 2}, {1, 1, 2, 0}));
  if (bias) {
    weights.add("linear_1.bias", test::tensor_of({2}, {10, 20}));
    weights.add("linear_2.bias", test::tensor_of({2}, {-1, -2}));
  }
  return weights;
}

std::vector<float> projected(bool bias) {
  const test::TempDir directory;
  const Checkpoint checkpoint = by_hand(bias).checkpoint(directory);
  Binder binder(checkpoint, test::device());
  const MlpProjector projector(binder.root(), {2, 3}, kernels::Activation::relu, bias ? Bias::yes : Bias::no);
  EXPECT_NO_THROW(binder.finish("projector"));
  // Two tiles of two patches.
  const Tensor features = test::tensor_of({2, 2, 3}, {1, 2, 3, -1, 5, 1, 0, 0, 0, 4, 7, 2});
  Workspace workspace(test::device());
  const Tensor out = projector.forward(features, workspace);
  EXPECT_EQ(out.shape(), (Shape{2, 2, 2}));
  return test::values(out);
}

TEST(MlpProjector, ByHandWithoutBiases) {
  // relu of (1, -1), (-1, 4), (0, 0), (4, 5)
  EXPECT_EQ(projected(false), (std::vector<float>{1, 2, 4, 0, 0, 0, 9, 8}));
}

TEST(MlpProjector, ByHandWithBiases) {
  // relu of (11, 19), (9, 24), (10, 20), (14, 25)
  EXPECT_EQ(projected(true), (std::vector<float>{29, 20, 32, 16, 29, 18, 38, 26}));
}

TEST(MlpProjector, AsksForItsWeightsByShape) {
  const test::TempDir directory;
  const Checkpoint checkpoint = by_hand(false).checkpoint(directory);
  Binder binder(checkpoint, test::device());
  const MlpProjector projector(binder.root(), {2, 6}, kernels::Activation::relu, Bias::yes);
  const Error error = test::error_of([&] { binder.finish("m"); });
  EXPECT_EQ(error.code(), ErrorCode::model_invalid);
  EXPECT_THAT(error.what(), HasSubstr("linear_1.weight: got [2, 3], expected [2, 6]"));
  EXPECT_THAT(error.what(), HasSubstr("linear_2.bias"));
}

}  // namespace
}  // namespace galago
