// Products of bfloat16 pairs: with operands that are bfloat16 already nothing is rounded, so the result is
// the twin's; with others it differs by their rounding. Where the processor lacks them, float32 is computed.
#include <gtest/gtest.h>

#include <bit>
#include <cmath>
#include <random>
#include <vector>

#include "kernels/cpu/bf16.h"
#include "kernels/kernels.h"
#include "kernels/reference/reference.h"
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
  return Linear({view, {}, arithmetic});
}

TEST(Bf16, OperandsThatAreBfloat16LoseNothing) {
  for (const int64_t rows : {33, 40, 70})
    for (const auto& [in, out] :
         {std::pair<int64_t, int64_t>{2, 1}, {64, 48}, {100, 130}, {2600, 50}, {33, 20}}) {
      SCOPED_TRACE(testing::Message() << rows << "x" << in << "x" << out);
      const Tensor weight = numbers(out, in, 1, true), x = numbers(rows, in, 2, true);
      Tensor fast({rows, out}), twin({rows, out});
      const Linear layer = layer_of(weight, Arithmetic::bf16);
      linear(x.matrix(), layer, fast.matrix(), {.activation = Activation::silu});
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
  linear(x.matrix(), layer_of(weight, Arithmetic::bf16), rounded.matrix());
  linear(x.matrix(), layer_of(weight, Arithmetic::f32), exact.matrix());
  double largest = 0;
  for (int64_t i = 0; i < exact.size(); ++i)
    largest = std::max(largest, std::abs(double{rounded.data()[i]} - exact.data()[i]));
  EXPECT_LE(largest, 256 * 2 * 0.004 * 0.2);  // two roundings of 2^-9 of a product, mostly cancelling
  EXPECT_EQ(largest > 1e-3, cpu::has_bf16_products());
}

TEST(Bf16, FewRowsStayFloat32) {
  const Tensor weight = numbers(48, 256, 1, false), x = numbers(8, 256, 2, false);
  Tensor asked({8, 48}), exact({8, 48});
  linear(x.matrix(), layer_of(weight, Arithmetic::bf16), asked.matrix());
  linear(x.matrix(), layer_of(weight, Arithmetic::f32), exact.matrix());
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
    attention(q.matrix(), k.matrix(), v.matrix(), layout, mask, fast.matrix());
    reference::attention(q.matrix(), k.matrix(), v.matrix(), layout, mask, twin.matrix());
    for (int64_t i = 0; i < fast.size(); ++i)
      ASSERT_NEAR(fast.data()[i], twin.data()[i], kBf16AttentionBound);
    std::vector<CausalRow> causal;
    for (int64_t i = 0; i < rows; ++i) causal.push_back({{k.data(), v.data(), cols}, i / 3, i});
    attention_cached(q.matrix(), causal, layout, fast.matrix());
    reference::attention_cached(q.matrix(), causal, layout, twin.matrix());
    for (int64_t i = 0; i < fast.size(); ++i)
      ASSERT_NEAR(fast.data()[i], twin.data()[i], kBf16AttentionBound);
  }
}

}  // namespace
}  // namespace galago::kernels
