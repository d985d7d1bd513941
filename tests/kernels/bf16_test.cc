// Products of bfloat16 pairs: with operands that are bfloat16 already nothing is rounded, so the result is
// the twin's; with others it differs by their rounding. Where the processor lacks them, float32 is computed.
#include <gtest/gtest.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <limits>
#include <random>
#include <vector>

#include "kernels/cache_pages.h"
#include "kernels/cpu/bf16.h"
#include "kernels/kernels.h"
#include "kernels/reference/reference.h"
#include "support/devices.h"
#include "tolerances.h"

namespace galago::kernels {
namespace {

/// Normal numbers, cut to bfloat16 on request.
Tensor numbers(int64_t rows, int64_t cols, uint32_t seed, bool cut) {
  Tensor values({rows, cols});
  std::mt19937 random(seed);
  std::normal_distribution<float> normal(0, 1);
  for (int64_t i = 0; i < values.size(); ++i) {
    const float value = normal(random);
    values.data()[i] = cut ? std::bit_cast<float>(std::bit_cast<uint32_t>(value) & 0xffff0000U) : value;
  }
  return values;
}

Linear layer_of(const Tensor& weight, Arithmetic arithmetic) {
  const TensorView view{DType::f32, weight.shape(), reinterpret_cast<const std::byte*>(weight.data())};
  return Linear({view, {}, arithmetic}, test::device());
}

TEST(Bf16, OperandsThatAreBfloat16LoseNothing) {
  for (const int64_t rows : {33, 40, 70})
    for (const auto& [in, out] :
         {std::pair<int64_t, int64_t>{2, 1}, {64, 48}, {100, 130}, {2600, 50}, {33, 20}}) {
      SCOPED_TRACE(testing::Message() << rows << "x" << in << "x" << out);
      const Tensor weight = numbers(out, in, 1, true), x = numbers(rows, in, 2, true);
      Tensor fast({rows, out}), twin({rows, out});
      const Linear layer = layer_of(weight, Arithmetic::bf16);
      test::device().linear(x.matrix(), layer, fast.matrix(), {.activation = Activation::silu});
      const Product product = {&layer, twin.matrix(), {.activation = Activation::silu}};
      reference::linear_each(x.matrix(), {&product, 1});
      for (int64_t r = 0; r < rows; ++r)
        for (int64_t c = 0; c < out; ++c) {
          double size = std::abs(double{twin.matrix().row(r)[c]}) + 1e-3;
          for (int64_t k = 0; k < in; ++k)
            size += std::abs(double{x.matrix().row(r)[k]} * weight.matrix().row(c)[k]);
          ASSERT_NEAR(fast.matrix().row(r)[c], twin.matrix().row(r)[c], kLinearBound * size);
        }
    }
}

TEST(Bf16, OtherOperandsAreRoundedOnceWhereTheProcessorHasTheProducts) {
  const Tensor weight = numbers(48, 256, 1, false), x = numbers(64, 256, 2, false);
  Tensor rounded({64, 48}), exact({64, 48});
  test::device().linear(x.matrix(), layer_of(weight, Arithmetic::bf16), rounded.matrix());
  test::device().linear(x.matrix(), layer_of(weight, Arithmetic::f32), exact.matrix());
  double largest = 0;
  for (int64_t i = 0; i < exact.size(); ++i)
    largest = std::max(largest, std::abs(double{rounded.data()[i]} - exact.data()[i]));
  EXPECT_LE(largest, 256 * 2 * 0.004 * 0.2);  // two roundings of 2^-9 of a product, mostly cancelling
  EXPECT_EQ(largest > 1e-3, cpu::has_bf16_products());
}

// Rows between two layers are rounded where the first one finishes them. Activations that are rounded as they
// are computed may fall on the other side of a tie: a step of 2^-8 in some numbers of a row.
TEST(Bf16, FeedForwardIsOneLayerAfterTheOther) {
  for (const Activation activation : {Activation::none, Activation::gelu_erf, Activation::relu,
                                      Activation::silu, Activation::quick_gelu, Activation::gelu_tanh})
    for (const int64_t rows : {8, 33, 300})
      for (const int64_t width : {64, 2200})
        for (const int64_t inner : {33, 100, 256}) {
          SCOPED_TRACE(testing::Message() << static_cast<int>(activation) << ", " << rows << " rows, "
                                          << width << " wide, " << inner << " between");
          const Tensor x = numbers(rows, width, 1, false), first = numbers(inner, width, 2, false),
                       gate = numbers(inner, width, 3, false), second = numbers(50, inner, 4, false);
          const Linear up = layer_of(first, Arithmetic::bf16), gated = layer_of(gate, Arithmetic::bf16),
                       down = layer_of(second, Arithmetic::bf16);
          Tensor hidden({rows, inner}), y({rows, 50}), plain({rows, 50});
          const std::vector<Product> in = {
              {&up, hidden.matrix(), {}},
              {&gated, hidden.matrix(), {.activation = activation, .factor = hidden.matrix()}}};
          test::device().feed_forward(x.matrix(), in, {&down, y.matrix(), {}});
          test::device().linear_each(x.matrix(), in);
          test::device().linear(hidden.matrix(), down, plain.matrix());
          const bool exact = activation == Activation::none || activation == Activation::gelu_erf ||
                             activation == Activation::relu;
          for (int64_t r = 0; r < rows; ++r) {
            const float* const h = hidden.matrix().row(r);
            const float largest = std::abs(
                *std::max_element(h, h + inner, [](float a, float b) { return std::abs(a) < std::abs(b); }));
            for (int64_t c = 0; c < 50; ++c)
              ASSERT_NEAR(y.matrix().row(r)[c], plain.matrix().row(r)[c], exact ? 0 : largest * 4 / 256);
          }
        }
}

TEST(Bf16, SigmoidUnitsAreRoundedOnce) {
  if (!cpu::has_bf16_products()) GTEST_SKIP() << "no such instructions here";
  std::vector<float> x = {0, -0.0f, 1e-30f, 1e30f, -1e30f, 88, -88, -104}, bias, factor;
  while (x.size() < 203) x.push_back(static_cast<float>(x.size()) * 0.2f - 21);
  for (size_t i = 0; i < x.size(); ++i) {
    bias.push_back(i < 8 ? 0 : 0.5f - static_cast<float>(i % 7) / 5);
    factor.push_back(static_cast<float>(i % 5) - 1.5f);
  }
  for (const cpu::SigmoidUnit unit : {cpu::SigmoidUnit{}, {.linear = 1.702f}, {1.5957691216f, 0.071354816f}})
    for (const bool with : {false, true})
      for (const int64_t count : {1, 15, 16, 48, 203}) {
        constexpr uint16_t kUntouched = 0x1234;
        std::vector<uint16_t> rounded(x.size() + 1, kUntouched);
        cpu::sigmoid_to_bf16(unit, x.data(), with ? bias.data() : nullptr, with ? factor.data() : nullptr,
                             count, rounded.data());
        EXPECT_EQ(rounded[static_cast<size_t>(count)], kUntouched);
        for (size_t i = 0; i < static_cast<size_t>(count); ++i) {
          const double z = with ? x[i] + bias[i] : x[i];
          const double exact =
              z / (1 + std::exp(-z * (unit.linear + unit.cubic * z * z))) * (with ? factor[i] : 1.0f);
          const double got = std::bit_cast<float>(static_cast<uint32_t>(rounded[i]) << 16);
          EXPECT_NEAR(got, exact, std::abs(exact) * (1.0 / 256 + 3e-5) + 1.2e-38) << z;
        }
      }
  const float nan = std::numeric_limits<float>::quiet_NaN();
  uint16_t result = 0;
  cpu::sigmoid_to_bf16({}, &nan, nullptr, nullptr, 1, &result);
  EXPECT_TRUE(std::isnan(std::bit_cast<float>(static_cast<uint32_t>(result) << 16)));
}

TEST(Bf16, ExponentialsAreRoundedOnce) {
  if (!cpu::has_bf16_products()) GTEST_SKIP() << "no such instructions here";
  constexpr float kLargest = 7;
  std::vector<float> x = {kLargest, -std::numeric_limits<float>::infinity(), kLargest - 90, kLargest - 1e-6f};
  while (x.size() < 1024) x.push_back(kLargest - static_cast<float>(x.size()) * 0.03f);
  std::vector<uint16_t> rounded(x.size());
  const float sum = cpu::exp_to_bf16(x.data(), kLargest, std::ssize(x), rounded.data());
  double exact_sum = 0;
  for (size_t i = 0; i < x.size(); ++i) {
    const double exact = std::exp(double{x[i]} - kLargest);
    const double got = std::bit_cast<float>(static_cast<uint32_t>(rounded[i]) << 16);
    exact_sum += exact;
    EXPECT_NEAR(got, exact, exact * (1.0 / 256 + 1e-5) + 1.2e-38) << x[i];  // smaller ones become 0
  }
  EXPECT_EQ(rounded[0], 0x3f80);
  EXPECT_EQ(rounded[1], 0);
  EXPECT_NEAR(sum, exact_sum, 1e-5 * exact_sum);
}

TEST(Bf16, FewRowsStayFloat32) {
  const Tensor weight = numbers(48, 256, 1, false), x = numbers(8, 256, 2, false);
  Tensor asked({8, 48}), exact({8, 48});
  test::device().linear(x.matrix(), layer_of(weight, Arithmetic::bf16), asked.matrix());
  test::device().linear(x.matrix(), layer_of(weight, Arithmetic::f32), exact.matrix());
  for (int64_t i = 0; i < exact.size(); ++i) ASSERT_EQ(asked.data()[i], exact.data()[i]);
}

TEST(Bf16, AttentionRoundsTheWeightsOnly) {
  for (const auto& [rows, heads, dim] : {std::tuple<int64_t, int64_t, int64_t>{9, 1, 2},
                                         {70, 2, 64},
                                         {600, 3, 64},
                                         {1030, 1, 72},
                                         {40, 2, 33}}) {
    SCOPED_TRACE(testing::Message() << rows << " rows, " << heads << " heads of " << dim);
    const int64_t cols = heads * dim;
    const Tensor q = numbers(rows, cols, 1, true), k = numbers(rows, cols, 2, true),
                 v = numbers(rows, cols, 3, true);
    const HeadLayout layout = {heads, heads, dim, 0.125f, Arithmetic::bf16};
    Tensor fast({rows, cols}), twin({rows, cols});
    std::vector<uint8_t> mask(static_cast<size_t>(rows), 1);
    mask.back() = 0;
    test::device().attention(q.matrix(), k.matrix(), v.matrix(), layout, mask, fast.matrix());
    reference::attention(q.matrix(), k.matrix(), v.matrix(), layout, mask, twin.matrix());
    for (int64_t i = 0; i < fast.size(); ++i)
      ASSERT_NEAR(fast.data()[i], twin.data()[i], kBf16AttentionBound);
    std::vector<CausalRow> causal;
    const CachePages pages(k.matrix(), v.matrix(), 16);
    for (int64_t i = 0; i < rows; ++i) causal.push_back({pages.view(), i / 3, i});
    test::device().attention_cached(q.matrix(), causal, layout, fast.matrix());
    reference::attention_cached(q.matrix(), causal, layout, twin.matrix());
    for (int64_t i = 0; i < fast.size(); ++i)
      ASSERT_NEAR(fast.data()[i], twin.data()[i], kBf16AttentionBound);
  }
}

}  // namespace
}  // namespace galago::kernels
