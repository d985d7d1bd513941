// Weights in another format: by hand, at the edges, and how far they move.
#include <gtest/gtest.h>
#include <hwy/targets.h>

#include <cmath>
#include <cstring>
#include <limits>
#include <random>
#include <vector>

#include "core/half.h"
#include "galago/error.h"
#include "kernels/kernels.h"
#include "kernels/quant_weights.h"
#include "kernels/reference/reference.h"
#include "support/devices.h"
#include "support/fixtures.h"

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

/// Weights of all sizes; some groups with zeros, ties, numbers beyond a float16, and what is no number.
std::vector<float> strange_weights(int64_t count, uint32_t seed) {
  std::mt19937 random(seed);
  std::normal_distribution<float> normal(0, std::pow(10.0f, static_cast<float>(seed % 12) - 8));
  std::vector<float> weights(static_cast<size_t>(count));
  const float kStrange[] = {0,     -0.0f,  1e-30f,        70000,
                            3e38f, -3e38f, std::nanf(""), std::numeric_limits<float>::infinity()};
  for (float& w : weights) {
    w = normal(random);
    if (random() % 97 == 0) w = kStrange[random() % std::size(kStrange)];
    if (seed % 5 == 1) w = std::round(w * 4) / 4;
  }
  return weights;
}

/// The twin's planes, one after another: values, scales, minimums.
std::vector<std::byte> twin_planes(const std::vector<float>& weights, int64_t rows, WeightFormat format) {
  const int64_t cols = std::ssize(weights) / rows, values = value_bytes(format, cols), plane = cols / 16;
  std::vector<std::byte> bytes(static_cast<size_t>(rows * (values + 2 * plane)));
  std::byte* const scales = bytes.data() + rows * values;
  for (int64_t r = 0; r < rows; ++r)
    reference::quantise_row({weights.data() + r * cols, static_cast<size_t>(cols)}, format,
                            {bytes.data() + r * values, scales + r * plane, scales + (rows + r) * plane});
  return bytes;
}

// The bytes do not depend on the machine: files of one are those of another.
TEST(Convert, EveryInstructionSetGivesTheTwinsBytes) {
  std::vector<int64_t> targets = hwy::SupportedAndGeneratedTargets();
  targets.push_back(HWY_STATIC_TARGET);  // what runs where nothing better is
  for (const int64_t target : targets) {
    hwy::SetSupportedTargetsForTest(target);
    hwy::GetChosenTarget().DeInit();
    for (uint32_t seed = 0; seed < 24; ++seed) {
      SCOPED_TRACE(testing::Message() << hwy::TargetName(target) << " " << seed);
      const int64_t rows = 1 + seed * 5 % 37, cols = 32 * (1 + seed * 7 % 11);
      const std::vector<float> weights = strange_weights(rows * cols, seed);
      const TensorView from{DType::f32, {rows, cols}, reinterpret_cast<const std::byte*>(weights.data())};
      for (const WeightFormat format : {WeightFormat::q8, WeightFormat::q4}) {
        const std::vector<std::byte> twin = twin_planes(weights, rows, format);
        std::vector<std::byte> bytes(twin.size());
        const int64_t values = value_bytes(format, rows * cols), plane = rows * cols / 16;
        const WeightPlanes planes{bytes.data(), bytes.data() + values, bytes.data() + values + plane};
        test::device().convert_weights(from, format, planes);
        EXPECT_EQ(bytes, twin) << to_string(format);

        // Packed at once, or from the planes: the same panels.
        WeightView view(format, rows, cols);
        view.values = planes.values;
        view.scales = planes.scales;
        if (format == WeightFormat::q4) view.minimums = planes.minimums;
        std::vector<std::byte> panels(
            static_cast<size_t>(WeightView(format, rows, cols, WeightLayout::panels).bytes()), std::byte{1});
        std::vector<std::byte> again(panels.size(), std::byte{2});
        test::device().pack_weights(from, format, panels.data());
        test::device().pack_weights(view, format, again.data());
        EXPECT_EQ(panels, again) << to_string(format);
      }
    }
  }
  hwy::SetSupportedTargetsForTest(0);
  hwy::GetChosenTarget().DeInit();
}

TEST(Convert, PanelsGoBackToTheirPlanes) {
  for (const WeightFormat format : {WeightFormat::q8, WeightFormat::q4})
    for (const int64_t rows : {1, 16, 35}) {
      const QuantisedMatrix matrix(format, rows, 96, 3);
      std::vector<std::byte> bytes(static_cast<size_t>(matrix.view().bytes()));
      const int64_t values = value_bytes(format, rows * 96);
      const WeightPlanes planes{bytes.data(), bytes.data() + values, bytes.data() + values + rows * 6};
      test::device().convert_weights(matrix.packed(), format, planes);
      EXPECT_EQ(std::memcmp(planes.values, matrix.view().values, static_cast<size_t>(values)), 0);
      EXPECT_EQ(std::memcmp(planes.scales, matrix.view().scales, static_cast<size_t>(rows * 6)), 0);
      if (format == WeightFormat::q4) {
        EXPECT_EQ(std::memcmp(planes.minimums, matrix.view().minimums, static_cast<size_t>(rows * 6)), 0);
      }
      std::vector<std::byte> copy(static_cast<size_t>(matrix.packed().bytes()));
      test::device().pack_weights(matrix.packed(), format, copy.data());
      EXPECT_EQ(std::memcmp(copy.data(), matrix.packed().values, copy.size()), 0);
    }
}

/// A matrix in blocks of one type: scale, minimum where there is one, values.
WeightView blocks_of(const WeightView& planes, int64_t block_bytes, std::vector<std::byte>& memory) {
  WeightView blocks(planes.format, planes.rows, planes.cols, WeightLayout::blocks);
  blocks.block_bytes = block_bytes;
  memory.resize(static_cast<size_t>(blocks.bytes()));
  const int64_t values = value_bytes(planes.format, kWeightGroup);
  std::byte* to = memory.data();
  for (int64_t r = 0; r < planes.rows; ++r)
    for (int64_t g = 0; g < planes.groups(); ++g, to += block_bytes) {
      const WeightGroupView group = planes.group(r, g);
      std::memcpy(to, group.scale, 2);
      if (block_bytes - values == 4) std::memcpy(to + 2, group.minimum, 2);
      std::memcpy(to + block_bytes - values, group.values, static_cast<size_t>(values));
    }
  blocks.values = memory.data();
  return blocks;
}

// Q8_0, Q4_1 and Q4_0 of GGUF: as floats, as a product's operand and in panels what their planes are.
TEST(Convert, BlocksAreReadAsTheyLie) {
  for (const auto& [format, bytes] :
       {std::pair{WeightFormat::q8, 34}, {WeightFormat::q4, 20}, {WeightFormat::q4, 18}}) {
    SCOPED_TRACE(bytes);
    const QuantisedMatrix matrix(format, 35, 96, 4);
    WeightView planes = matrix.view();
    std::vector<std::byte> memory, minimums;
    if (bytes == 18) {  // Q4_0 has none: they are -8 times the scale
      for (int64_t i = 0; i < planes.rows * planes.groups(); ++i) {
        uint16_t scale = 0;
        std::memcpy(&scale, planes.scales + 2 * i, sizeof scale);
        const uint16_t least = to_f16(-8 * from_f16(scale));
        const auto* half = reinterpret_cast<const std::byte*>(&least);
        minimums.insert(minimums.end(), half, half + 2);
      }
      planes.minimums = minimums.data();
    }
    const WeightView blocks = blocks_of(planes, bytes, memory);
    std::vector<float> a(35 * 96), b = a, part(70), slice(96);
    to_floats(planes, a.data());
    to_floats(blocks, b.data());
    EXPECT_EQ(a, b);
    to_floats(blocks.slice_rows(20, 2), 1, 0, 96, slice.data());
    EXPECT_TRUE(std::equal(slice.begin(), slice.end(), a.begin() + 21 * 96));
    std::vector<std::byte> packed(
        static_cast<size_t>(WeightView(format, 35, 96, WeightLayout::panels).bytes())),
        expected = packed;
    test::device().pack_weights(blocks, format, packed.data());
    test::device().pack_weights(planes, format, expected.data());
    EXPECT_EQ(packed, expected);

    // Many rows of x and few, which go by way of floats.
    for (const int64_t rows : {3, 40}) {
      const Tensor x = test::random_tensor({rows, 96}, 5);
      Tensor y({rows, 35}), z({rows, 35});
      test::device().linear(x.matrix(), Linear({planes, {}}, test::device()), y.matrix());
      test::device().linear(x.matrix(), Linear({blocks, {}}, test::device()), z.matrix());
      EXPECT_EQ(test::values(y), test::values(z));
    }
    std::vector<float> gathered(2 * 96);
    const int32_t ids[] = {34, 1};
    test::device().gather_rows(blocks, ids, Matrix(gathered.data(), 2, 96));
    EXPECT_TRUE(std::equal(gathered.begin() + 96, gathered.end(), a.begin() + 96));
  }
}

}  // namespace
}  // namespace galago::kernels
