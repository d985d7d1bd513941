// Quantised weights: the fast products against the scalar twin, which multiplies the floats they stand for,
// over formats, sizes, alignments and instruction sets; and reading them as floats.
#include <gtest/gtest.h>
#include <hwy/targets.h>

#include <cmath>
#include <cstring>
#include <limits>
#include <random>
#include <vector>

#include "kernels/cpu/instructions.h"
#include "kernels/cpu/quant.h"
#include "kernels/kernels.h"
#include "kernels/model_shapes.h"
#include "kernels/quant_weights.h"
#include "kernels/reference/reference.h"
#include "support/devices.h"
#include "tolerances.h"

namespace galago::kernels {
namespace {

constexpr WeightFormat kFormats[] = {WeightFormat::q8, WeightFormat::q4};

Tensor random_rows(int64_t rows, int64_t cols, uint32_t seed) {
  Tensor out({rows, cols});
  std::mt19937 random(seed);
  std::normal_distribution<float> normal;
  for (int64_t i = 0; i < out.size(); ++i) out.data()[i] = normal(random);
  return out;
}

/// What a difference may be measured by: of each group, the largest |x| times the weights' sizes.
double size_of_product(const WeightView& weight, int64_t out, const float* x) {
  const std::vector<std::byte> zeros(static_cast<size_t>(2 * weight.rows * weight.groups()));
  WeightView offsets = weight;
  offsets.minimums = zeros.data();
  double size = 0;
  for (int64_t g = 0; g < weight.groups(); ++g) {
    float whole[kWeightGroup], scaled[kWeightGroup], most = 0;
    double weights = 0;
    to_floats(weight, out, g * kWeightGroup, kWeightGroup, whole);
    to_floats(offsets, out, g * kWeightGroup, kWeightGroup, scaled);
    for (int64_t c = 0; c < kWeightGroup; ++c) {
      most = std::max(most, std::abs(x[g * kWeightGroup + c]));
      weights += std::abs(double{scaled[c]}) + std::abs(double{whole[c]} - scaled[c]);
    }
    size += most * weights;
  }
  return size;
}

void check_product(WeightFormat format, int64_t rows, int64_t in, int64_t out, int64_t shift = 0) {
  SCOPED_TRACE(testing::Message() << to_string(format) << " " << rows << "x" << in << "x" << out << " shift "
                                  << shift);
  const QuantisedMatrix weight(format, out, in, 1, shift);
  const Tensor bias = random_rows(1, out, 2), x = random_rows(rows, in + 3, 3);
  const TensorView offset{DType::f32, {out}, reinterpret_cast<const std::byte*>(bias.data())};
  const Linear layer({weight.packed(), offset}, test::device()),
      as_stored({weight.view(), offset}, test::device());
  Tensor fast = random_rows(rows, out, 4), twin = fast.copy();
  const ConstMatrix input = x.matrix().slice_cols(1, in);
  const auto product = [&](const Linear& linear, Tensor& y) {
    return Product{&linear, y.matrix(), {.scale = 0.5f, .residual = y.matrix()}};
  };
  const Product ours = product(layer, fast), defined = product(as_stored, twin);
  test::device().linear_each(input, {&ours, 1});
  reference::linear_each(input, {&defined, 1});
  for (int64_t r = 0; r < rows; ++r)
    for (int64_t o = 0; o < out; ++o)
      ASSERT_LE(std::abs(double{fast.matrix().row(r)[o]} - twin.matrix().row(r)[o]),
                kQuantisedBound * (size_of_product(weight.view(), o, input.row(r)) + 0.1))
          << "row " << r << " column " << o;
}

TEST(Quantised, ProductsOverShapes) {
  for (const WeightFormat format : kFormats)
    for (const int64_t rows : {1, 2, 3, 4, 7, 8, 31, 32, 33, 40})
      for (const auto& [in, out] : {std::pair<int64_t, int64_t>{32, 1},
                                    {64, 5},
                                    {96, 16},
                                    {160, 17},
                                    {512, 3},
                                    {576, 33},
                                    {1056, 2}}) {
        check_product(format, rows, in, out);
        check_product(format, rows, in, out, 1);
      }
}

TEST(Quantised, ProductsOfTheModel) {
  for (const WeightFormat format : kFormats)
    for (const LinearShape& shape : linear_shapes())
      check_product(format, std::min<int64_t>(shape.rows, 8), shape.in, std::min<int64_t>(shape.out, 100));
}

TEST(Quantised, OlderInstructionSets) {
  for (const int64_t off : {HWY_AVX3 | HWY_AVX3_DL, HWY_AVX3 | HWY_AVX3_DL | HWY_AVX2,
                            HWY_AVX3 | HWY_AVX3_DL | HWY_AVX2 | HWY_SSE4}) {
    SCOPED_TRACE(off);
    hwy::DisableTargets(off | kernels::cpu::capped_targets());
    for (const WeightFormat format : kFormats)
      for (const int64_t in : {32, 96, 576})
        for (const int64_t rows : {1, 7, 40}) check_product(format, rows, in, 21, 1);
  }
  hwy::DisableTargets(kernels::cpu::capped_targets());
}

TEST(Quantised, ARowAloneIsTheRowInCompany) {
  constexpr int64_t kRows = 32, kIn = 576, kOut = 50;
  for (const WeightFormat format : kFormats) {
    const QuantisedMatrix weight(format, kOut, kIn, 1);
    const Linear layer({weight.packed(), {}}, test::device());
    const Tensor x = random_rows(kRows, kIn, 2);
    Tensor alone({1, kOut}), together({kRows, kOut});
    for (int64_t count = 1; count <= kRows; ++count) {
      test::device().linear(x.matrix().slice_rows(0, count), layer, together.matrix().slice_rows(0, count));
      for (int64_t i = 0; i < count; ++i) {
        test::device().linear(x.matrix().slice_rows(i, 1), layer, alone.matrix());
        for (int64_t o = 0; o < kOut; ++o) ASSERT_EQ(alone.data()[o], together.matrix().row(i)[o]);
      }
    }
  }
}

TEST(Quantised, OneProductOfEachFormatAtOnce) {
  const QuantisedMatrix q8(WeightFormat::q8, 40, 64, 1), q4(WeightFormat::q4, 24, 64, 2);
  const Tensor floats = random_rows(8, 64, 3), x = random_rows(3, 64, 4);
  const Linear layers[] = {
      Linear({q8.packed(), {}}, test::device()), Linear({q4.packed(), {}}, test::device()),
      Linear({TensorView{DType::f32, {8, 64}, reinterpret_cast<const std::byte*>(floats.data())}, {}},
             test::device())};
  Tensor a({3, 40}), b({3, 24}), c({3, 8}), alone({3, 40});
  test::device().linear_each(
      x.matrix(),
      {{{&layers[0], a.matrix(), {}}, {&layers[1], b.matrix(), {}}, {&layers[2], c.matrix(), {}}}});
  for (int i = 0; i < 3; ++i) {
    const Tensor& got = i == 0 ? a : i == 1 ? b : c;
    const Matrix y(alone.data(), 3, layers[i].out_features());
    test::device().linear(x.matrix(), layers[i], y);
    for (int64_t k = 0; k < got.size(); ++k) ASSERT_EQ(got.data()[k], alone.data()[k]) << "product " << i;
  }
}

TEST(Quantised, WhatIsNotFiniteIsNaNInItsRowOnly) {
  for (const WeightFormat format : kFormats)
    for (const float strange :
         {std::numeric_limits<float>::infinity(), std::numeric_limits<float>::quiet_NaN()}) {
      const QuantisedMatrix weight(format, 5, 64, 1);
      const Linear layer({weight.packed(), {}}, test::device());
      Tensor x = random_rows(2, 64, 2), y({2, 5});
      x.data()[40] = strange;
      test::device().linear(x.matrix(), layer, y.matrix());
      for (int64_t o = 0; o < 5; ++o) {
        EXPECT_TRUE(std::isnan(y.data()[o]));
        EXPECT_TRUE(std::isfinite(y.data()[5 + o]));
      }
    }
}

TEST(Quantised, ProductsOfShorts) {
  if (!cpu::has_byte_products()) GTEST_SKIP() << "the only ones on this processor, tested above";
  constexpr int64_t kIn = 576, kOut = 40;
  for (const WeightFormat format : kFormats) {
    const QuantisedMatrix weight(format, kOut, kIn, 1);
    const Linear layer({weight.packed(), {}}, test::device());
    const Tensor x = random_rows(7, kIn, 2);
    Tensor shorts({7, kOut}), bytes({7, kOut});
    for (const bool in_bytes : {false, true}) {
      Tensor& y = in_bytes ? bytes : shorts;
      const Product product{&layer, y.matrix(), {}};
      cpu::quantised_few_rows(cpu::integer_rows(x.matrix(), in_bytes), product, 0, kOut);
    }
    for (int64_t i = 0; i < shorts.size(); ++i) ASSERT_EQ(shorts.data()[i], bytes.data()[i]) << i;
  }
}

// Many rows meet the same floats in both layouts, so every bit is the same.
TEST(Quantised, PanelsAndRowsInProductsOfManyRows) {
  for (const int64_t off :
       {int64_t{0}, int64_t{HWY_AVX3 | HWY_AVX3_DL}, int64_t{HWY_AVX3 | HWY_AVX3_DL | HWY_AVX2}}) {
    hwy::DisableTargets(off | kernels::cpu::capped_targets());
    for (const WeightFormat format : kFormats)
      for (const Arithmetic arithmetic : {Arithmetic::f32, Arithmetic::bf16, Arithmetic::int8})
        for (const auto& [in, out] : {std::pair<int64_t, int64_t>{32, 1}, {96, 53}, {576, 100}, {1536, 70}}) {
          const QuantisedMatrix weight(format, out, in, 1, 1);
          const Tensor x = random_rows(40, in, 2);
          Tensor panels({40, out}), rows({40, out});
          test::device().linear(x.matrix(), Linear({weight.packed(), {}, arithmetic}, test::device()),
                                panels.matrix());
          test::device().linear(x.matrix(), Linear({weight.view(), {}, arithmetic}, test::device()),
                                rows.matrix());
          for (int64_t i = 0; i < rows.size(); ++i)
            ASSERT_EQ(panels.data()[i], rows.data()[i]) << to_string(format) << " " << in << "x" << out;
        }
  }
  hwy::DisableTargets(kernels::cpu::capped_targets());
}

// A file's own layout, as a pooling head meets it that is stored so.
TEST(Quantised, AFewRowsOfXWithWeightsInRows) {
  for (const WeightFormat format : kFormats) {
    const QuantisedMatrix weight(format, 33, 96, 1);
    const Tensor x = random_rows(3, 96, 2);
    Tensor y({3, 33}), twin({3, 33});
    const Linear layer({weight.view(), {}}, test::device());
    const Product ours{&layer, y.matrix(), {}}, defined{&layer, twin.matrix(), {}};
    test::device().linear_each(x.matrix(), {&ours, 1});
    reference::linear_each(x.matrix(), {&defined, 1});
    for (int64_t i = 0; i < y.size(); ++i) EXPECT_NEAR(y.data()[i], twin.data()[i], 1e-4f) << i;
  }
}

// 18 rows of 96: two panels, the second with two rows; three groups, of which q8 puts two together.
TEST(Quantised, WhereAPanelHasItsNumbers) {
  const QuantisedMatrix q8(WeightFormat::q8, 18, 96, 1), q4(WeightFormat::q4, 18, 96, 1);
  EXPECT_EQ(q8.packed().bytes(), 2 * (64 + 2 * 512 + 64 + 512));
  EXPECT_EQ(q4.packed().bytes(), 2 * 3 * (64 + 256));
  // Row 17 is lane 1 of the second panel; column 70 is number 6 of group 2, byte 2 of the second four.
  const std::byte* const panel8 = q8.packed().values + q8.packed().bytes() / 2;
  EXPECT_EQ(static_cast<int>(panel8[1088 + 64 + 64 + 4 + 2]) - 128,
            static_cast<int8_t>(q8.view().row(17)[70]));
  EXPECT_EQ(std::memcmp(panel8 + 1088 + 2, q8.view().scales + 2 * (17 * 3 + 2), 2), 0);
  const std::byte* const panel4 = q4.packed().values + q4.packed().bytes() / 2;
  EXPECT_EQ(panel4[640 + 64 + 64 + 4 + 2], q4.view().row(17)[2 * 16 + 6]);
  EXPECT_EQ(std::memcmp(panel4 + 640 + 32 + 2, q4.view().minimums + 2 * (17 * 3 + 2), 2), 0);
  EXPECT_EQ(q8.packed().slice_rows(16, 2).values, panel8);
}

TEST(Quantised, AScaleThatIsNotFiniteStaysInItsRow) {
  for (const WeightFormat format : kFormats)
    for (const int64_t in : {32, 96, 576}) {
      const QuantisedMatrix weight(format, 8, in, 1);
      const int64_t groups = in / kWeightGroup, bad = 5 * groups;  // the first group of row 5
      const uint16_t nan = 0x7e00;
      WeightView view = weight.view();
      std::vector<std::byte> scales(view.scales, view.scales + 16 * groups), minimums;
      std::memcpy(scales.data() + 2 * bad, &nan, sizeof nan);
      view.scales = scales.data();
      if (format == WeightFormat::q4) {
        minimums.assign(view.minimums, view.minimums + 16 * groups);
        std::memcpy(minimums.data() + 2 * bad, &nan, sizeof nan);
        view.minimums = minimums.data();
      }
      const Tensor x = random_rows(1, in, 2);
      Tensor y({1, 8});
      std::vector<std::byte> panels(static_cast<size_t>(weight.packed().bytes()));
      test::device().pack_weights(view, format, panels.data());
      WeightView packed = weight.packed();
      packed.values = panels.data();
      test::device().linear(x.matrix(), Linear({packed, {}}, test::device()), y.matrix());
      for (int64_t o = 0; o < 8; ++o) EXPECT_EQ(std::isnan(y.data()[o]), o == 5) << in << " " << o;
    }
}

TEST(Quantised, ZerosAndTheSmallestNumbers) {
  for (const WeightFormat format : kFormats) {
    const QuantisedMatrix weight(format, 3, 32, 1);
    const Linear layer({weight.packed(), {}}, test::device());
    Tensor x({1, 32}), y({1, 3});
    for (const float value : {0.0f, std::numeric_limits<float>::denorm_min(), 1e-37f}) {
      std::fill_n(x.data(), 32, value);
      test::device().linear(x.matrix(), layer, y.matrix());
      for (int64_t o = 0; o < 3; ++o) EXPECT_LE(std::abs(y.data()[o]), 1e-30f);
    }
  }
}

TEST(Quantised, ReadAsFloatsBitForBit) {
  for (const int64_t off :
       {int64_t{0}, int64_t{HWY_AVX3 | HWY_AVX3_DL}, int64_t{HWY_AVX3 | HWY_AVX3_DL | HWY_AVX2}}) {
    hwy::DisableTargets(off | kernels::cpu::capped_targets());
    for (const WeightFormat format : kFormats) {
      const QuantisedMatrix weight(format, 3, 160, 1, 1);
      for (const auto& [begin, count] :
           {std::pair<int64_t, int64_t>{0, 160}, {32, 64}, {5, 7}, {31, 66}, {40, 0}}) {
        std::vector<float> fast(static_cast<size_t>(count)), twin(fast), packed(fast), defined(fast);
        cpu::dequantise(weight.view(), 2, begin, count, fast.data());
        to_floats(weight.view(), 2, begin, count, twin.data());
        cpu::dequantise(weight.packed(), 2, begin, count, packed.data());
        to_floats(weight.packed(), 2, begin, count, defined.data());
        EXPECT_EQ(fast, twin) << to_string(format) << " " << begin << " " << count;
        EXPECT_EQ(packed, twin) << to_string(format) << " " << begin << " " << count;
        EXPECT_EQ(defined, twin) << to_string(format) << " " << begin << " " << count;
      }
      const int32_t ids[] = {2, 0};
      Tensor fast({2, 160}), twin({2, 160});
      test::device().gather_rows(weight.view(), ids, fast.matrix());
      reference::gather_rows(weight.view(), ids, twin.matrix());
      for (int64_t i = 0; i < fast.size(); ++i) ASSERT_EQ(fast.data()[i], twin.data()[i]);
    }
  }
  hwy::DisableTargets(kernels::cpu::capped_targets());
}

}  // namespace
}  // namespace galago::kernels
