// The scalar twins against values worked out by hand, so that the definitions can fail too.
#include <gtest/gtest.h>

#include <cmath>
#include <vector>

#include "galago/error.h"
#include "kernels/cache_pages.h"
#include "kernels/reference/reference.h"
#include "support/devices.h"

namespace galago::kernels {
namespace {

using Floats = std::vector<float>;

TensorView floats_view(const Floats& values, Shape shape) {
  return {DType::f32, std::move(shape), reinterpret_cast<const std::byte*>(values.data())};
}

Matrix rows_of(Floats& values, int64_t rows) {
  return {values.data(), rows, static_cast<int64_t>(values.size()) / rows};
}

void expect_near(const Floats& got, const Floats& expected, double bound = 1e-6) {
  ASSERT_EQ(got.size(), expected.size());
  for (size_t i = 0; i < got.size(); ++i) EXPECT_NEAR(got[i], expected[i], bound) << "at " << i;
}

TEST(Twin, CopyScaleAndAddRows) {
  Floats x = {1, 2, 3, 4}, wide(6, 9);
  const Matrix left(wide.data(), 2, 2, 3);  // beside a column that stays
  reference::copy(rows_of(x, 2), left);
  expect_near(wide, {1, 2, 9, 3, 4, 9}, 0);
  reference::scale(left, 0.5f, left);
  expect_near(wide, {0.5f, 1, 9, 1.5f, 2, 9}, 0);
  reference::add(rows_of(x, 2), left);
  expect_near(wide, {1.5f, 3, 9, 4.5f, 6, 9}, 0);
}

TEST(Twin, PatchesComeChannelByChannel) {
  Floats tile, rows(16);
  for (int i = 0; i < 2 * 2 * 5; ++i)
    tile.push_back(static_cast<float>(i));  // [2, 2, 5]: a column is left over
  reference::unfold_patches({tile.data(), 2, 2, 5}, 2, rows_of(rows, 2));
  expect_near(rows, {0, 1, 5, 6, 10, 11, 15, 16, 2, 3, 7, 8, 12, 13, 17, 18}, 0);
}

TEST(Twin, LinearAddsBiasActivatesMultipliesScalesThenAddsTheResidual) {
  const Floats weight = {1, 2, 3, -1, 0, 1}, bias = {10, -20};
  const Linear layer({floats_view(weight, {2, 3}), floats_view(bias, {2})}, test::device());
  Floats x = {1, 1, 2}, y(2), residual = {0.5f, 0.25f}, factor = {3, -1};
  const auto run = [&](const Epilogue& epilogue) {
    const Product product = {&layer, rows_of(y, 1), epilogue};
    reference::linear_each(rows_of(x, 1), {&product, 1});
  };
  run({});
  expect_near(y, {19, -19});
  run({.activation = Activation::relu, .residual = rows_of(residual, 1)});
  expect_near(y, {19.5f, 0.25f});
  run({.activation = Activation::relu, .scale = 0.5f, .residual = rows_of(residual, 1)});
  expect_near(y, {10, 0.25f});
  run({.scale = -2});
  expect_near(y, {-38, 38});
  run({.factor = rows_of(factor, 1), .scale = 2, .residual = rows_of(residual, 1)});
  expect_near(y, {114.5f, 38.25f});
}

TEST(Twin, ActivationsAtOne) {
  EXPECT_FLOAT_EQ(reference::activate(Activation::none, 1), 1);
  EXPECT_NEAR(reference::activate(Activation::gelu_tanh, 1), 0.841192, 1e-6);
  EXPECT_NEAR(reference::activate(Activation::gelu_erf, 1), 0.841345, 1e-6);
  EXPECT_NEAR(reference::activate(Activation::quick_gelu, 1), 0.845796, 1e-6);
  EXPECT_NEAR(reference::activate(Activation::silu, 1), 0.731059, 1e-6);
  EXPECT_FLOAT_EQ(reference::activate(Activation::relu, -1), 0);
}

TEST(Twin, LayerNormOfOneToFour) {
  // mean 2.5, variance 1.25: (1 - 2.5) / sqrt(1.25) = -1.341641
  Floats x = {1, 2, 3, 4}, weight = {1, 1, 1, 2}, bias = {0, 0, 1, 0}, y(4);
  reference::layer_norm(rows_of(x, 1), weight.data(), bias.data(), 0, rows_of(y, 1));
  expect_near(y, {-1.3416408f, -0.4472136f, 1.4472136f, 2.6832816f});
  reference::layer_norm(rows_of(x, 1), weight.data(), bias.data(), 3.75f, rows_of(y, 1));
  EXPECT_NEAR(y[0], -1.5 / std::sqrt(5.0), 1e-6);
}

TEST(Twin, RmsNormOfThreeFour) {
  Floats x = {3, 4}, weight = {1, 10}, y(2);  // mean square 12.5
  reference::rms_norm(rows_of(x, 1), weight.data(), 0, rows_of(y, 1));
  expect_near(y, {0.8485281f, 11.3137085f});
}

TEST(Twin, AttentionWithOneVisibleKeyReturnsItsValue) {
  Floats q = {1, 2, 3, 4}, k = {5, 6, 7, 8}, v = {10, 20, 30, 40}, out(4);
  const uint8_t mask[] = {0, 1};
  reference::attention(rows_of(q, 2), rows_of(k, 2), rows_of(v, 2), {1, 1, 2, 0.5f}, mask, rows_of(out, 2));
  expect_near(out, {30, 40, 30, 40});
}

TEST(Twin, AttentionWeighsKeysByTheSoftmaxOfTheirScores) {
  // scores 0 and ln 3: weights 1/4 and 3/4
  Floats q = {1}, k = {0, std::log(9.0f)}, v = {4, 8}, out(1);
  reference::attention(rows_of(q, 1), rows_of(k, 2), rows_of(v, 2), {1, 1, 1, 0.5f}, {}, rows_of(out, 1));
  expect_near(out, {7});
}

TEST(Twin, CachedAttentionSharesKeyHeadsAndSeesItsRangeOnly) {
  // two query heads share one key head; the row sees position 1 alone, then 1 and 2 with equal scores
  Floats q = {1, 2}, keys = {9, 3, 3}, values = {1, 5, 7}, out(2);
  const CachePages pages({keys.data(), 3, 1}, {values.data(), 3, 1}, 2);
  CausalRow row{pages.view(), 1, 1};
  reference::attention_cached(rows_of(q, 1), {&row, 1}, {2, 1, 1, 1}, rows_of(out, 1));
  expect_near(out, {5, 5});
  row.last = 2;
  reference::attention_cached(rows_of(q, 1), {&row, 1}, {2, 1, 1, 1}, rows_of(out, 1));
  expect_near(out, {6, 6});
}

TEST(Twin, RopeTurnsPairsHalfAHeadApart) {
  constexpr float kQuarter = 1.57079632679f;
  Floats x = {1, 2, 3, 4};
  const float inv_freq[] = {kQuarter, 0};
  const int32_t position[] = {1};
  reference::rope(rows_of(x, 1), position, inv_freq, 4, 1);  // (1, 3) by 90 degrees, (2, 4) not at all
  expect_near(x, {-3, 2, 1, 4});
  reference::rope(rows_of(x, 1), position, inv_freq, 4, 2);
  expect_near(x, {-2, 4, -6, 8}, 2e-6);
}

TEST(Twin, Tables) {
  Floats y(2);
  const uint16_t table[] = {0x3f80, 0x4000, 0xc040, 0x0000};  // bfloat16 1, 2, -3, 0
  const int32_t id[] = {1};
  reference::gather_rows(TensorView{DType::bf16, {2, 2}, reinterpret_cast<const std::byte*>(table)}, id,
                         rows_of(y, 1));
  expect_near(y, {-3, 0});
}

TEST(Linear, RefusesOtherTypesAndShapes) {
  const Floats weight(6);
  TensorView view = floats_view(weight, {2, 3});
  EXPECT_TRUE(Linear(LinearView{}, test::device()).empty());
  EXPECT_THROW(Linear({view, floats_view(weight, {3})}, test::device()), Error);
  view.dtype = DType::i32;
  EXPECT_THROW(Linear({view, {}}, test::device()), Error);
}

TEST(Dispatch, AScaleIsFinite) {
  const Floats weight(1);
  const Linear layer({floats_view(weight, {1, 1}), {}}, test::device());
  Floats x(1), y(1);
  EXPECT_THROW(test::device().linear(rows_of(x, 1), layer, rows_of(y, 1), {.scale = INFINITY}), Error);
}

TEST(Dispatch, AProductTakesTheOneBeforeItInItsOwnPlaceOnly) {
  Floats weight(1);
  const Linear layer({floats_view(weight, {1, 1}), {}}, test::device());
  Floats x(1), up(1), elsewhere(1);
  const auto both = [&](Floats& y) {
    test::device().linear_each(
        rows_of(x, 1), {{{&layer, rows_of(up, 1)}, {&layer, rows_of(y, 1), {.factor = rows_of(up, 1)}}}});
  };
  both(up);
  EXPECT_THROW(both(elsewhere), Error);
}

TEST(Dispatch, WrongShapesAreOurBugAndSaySo) {
  Floats a(6), b(6);
  try {
    test::device().rms_norm(rows_of(a, 2), b.data(), 0, rows_of(b, 3));
    FAIL() << "shapes differ";
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::internal);
    EXPECT_EQ(error.where(), "kernels::rms_norm");
  }
}

}  // namespace
}  // namespace galago::kernels
