// Weights in another format: by hand, at the edges, and how far they move.
#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <limits>
#include <random>
#include <vector>

#include "core/half.h"
#include "galago/error.h"
#include "kernels/kernels.h"
#include "support/devices.h"

namespace galago::kernels {
namespace {

/// A converted matrix of floats.
struct Converted {
  Converted(const std::vector<float>& weights, int64_t rows, WeightFormat format)
      : values(weights.size() * sizeof(float)),
        scales(weights.size()),
        minimums(weights.size()),
        view(format, rows, static_cast<int64_t>(weights.size()) / rows) {
    const TensorView from{DType::f32, {rows, view.cols}, reinterpret_cast<const std::byte*>(weights.data())};
    test::device().convert_weights(from, format, {values.data(), scales.data(), minimums.data()});
    view.values = values.data();
    if (is_quantised(format)) view.scales = scales.data();
    if (format == WeightFormat::q4) view.minimums = minimums.data();
  }
  std::vector<float> floats() const {
    std::vector<float> out(static_cast<size_t>(view.rows * view.cols));
    to_floats(view, out.data());
    return out;
  }
  int value(size_t i) const { return static_cast<int8_t>(values[i]); }
  float half(const std::vector<std::byte>& plane, size_t i) const {
    uint16_t bits = 0;
    std::memcpy(&bits, plane.data() + 2 * i, sizeof bits);
    return from_f16(bits);
  }
  std::vector<std::byte> values, scales, minimums;
  WeightView view;
};

/// A group of 32 that begins with the given weights and goes on with zeros.
std::vector<float> group(std::vector<float> weights) {
  weights.resize(kWeightGroup);
  return weights;
}

TEST(Convert, Q8ByHand) {
  const Converted q8(group({127, -127, 63.5f, 1, 0.4f, -0.6f}), 1, WeightFormat::q8);
  EXPECT_EQ(q8.half(q8.scales, 0), 1);  // 127 / 127
  const std::vector<int> expected = {127, -127, 64, 1, 0, -1, 0};
  for (size_t i = 0; i < expected.size(); ++i) EXPECT_EQ(q8.value(i), expected[i]) << i;
  EXPECT_EQ(q8.floats()[1], -127);
}

TEST(Convert, Q4ByHand) {
  // From -1 to 2 in steps of 0.2: scale 0.2 and minimum -1, as float16.
  std::vector<float> weights;
  for (int i = 0; i < 32; ++i) weights.push_back(-1 + 0.2f * static_cast<float>(i % 16));
  const Converted q4(weights, 1, WeightFormat::q4);
  EXPECT_NEAR(q4.half(q4.scales, 0), 0.2, 1e-4);
  EXPECT_NEAR(q4.half(q4.minimums, 0), -1, 1e-3);
  for (int j = 0; j < 16; ++j) EXPECT_EQ(static_cast<int>(q4.values[static_cast<size_t>(j)]), j | j << 4);
  for (size_t i = 0; i < 32; ++i) EXPECT_NEAR(q4.floats()[i], weights[i], 1e-3);
}

TEST(Convert, TheHalvesOfAByteAre16WeightsApart) {
  std::vector<float> weights(32, 0.0f);
  weights[3] = 15;   // low half of byte 3
  weights[18] = 14;  // high half of byte 2
  const Converted q4(weights, 1, WeightFormat::q4);
  EXPECT_EQ(q4.values[3], std::byte{0x0f});
  EXPECT_EQ(q4.values[2], std::byte{0xe0});
  EXPECT_EQ(q4.floats(), weights);
}

TEST(Convert, GroupsOfOneNumberAreThatNumber) {
  for (const WeightFormat format : {WeightFormat::q8, WeightFormat::q4})
    for (const float w : {0.0f, 0.5f, -3.0f}) {
      const Converted same(std::vector<float>(64, w), 2, format);
      for (const float back : same.floats()) EXPECT_NEAR(back, w, std::abs(w) * 1e-3);
    }
}

TEST(Convert, WhatIsNotFiniteMakesItsGroupNaN) {
  for (const WeightFormat format : {WeightFormat::q8, WeightFormat::q4}) {
    std::vector<float> weights(64, 1.0f);
    weights[40] = std::numeric_limits<float>::infinity();
    const std::vector<float> back = Converted(weights, 1, format).floats();
    EXPECT_NEAR(back[31], 1, 1e-3);
    EXPECT_TRUE(std::isnan(back[32]));
    EXPECT_TRUE(std::isnan(back[63]));
  }
}

TEST(Convert, ErrorsAreThoseOfTheSteps) {
  std::mt19937 random(1);
  std::normal_distribution<float> normal(0, 0.05f);
  std::vector<float> weights(32 * 1000);
  for (float& w : weights) w = normal(random);
  const auto error = [&](WeightFormat format) {
    const std::vector<float> back = Converted(weights, 10, format).floats();
    double squares = 0, all = 0;
    for (size_t i = 0; i < weights.size(); ++i) {
      squares += std::pow(double{back[i]} - weights[i], 2);
      all += std::pow(double{weights[i]}, 2);
    }
    return std::sqrt(squares / all);
  };
  EXPECT_LT(error(WeightFormat::q8), 0.006);
  EXPECT_LT(error(WeightFormat::q4), 0.08);
  EXPECT_LT(error(WeightFormat::bf16), 0.002);
  EXPECT_EQ(error(WeightFormat::f32), 0);
}

TEST(Convert, Bf16RoundsTiesToEven) {
  const Converted bf16({1.00390625f, 1.01171875f, -2, std::nanf("")}, 1, WeightFormat::bf16);
  EXPECT_EQ(bf16.floats()[0], 1);
  EXPECT_EQ(bf16.floats()[1], 1.015625f);
  EXPECT_EQ(bf16.floats()[2], -2);
  EXPECT_TRUE(std::isnan(bf16.floats()[3]));
}

TEST(Convert, RowsOfNoWholeGroupsAreRefused) {
  const std::vector<float> weights(48);
  EXPECT_THROW(Converted(weights, 1, WeightFormat::q8), Error);
}

}  // namespace
}  // namespace galago::kernels
