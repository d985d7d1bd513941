// Products in whole numbers of 8 bits: sums are exact, so the fast kernels differ from the twin by the
// rounding of the factors and of what follows, whatever the sizes, layouts and instruction sets.
#include <gtest/gtest.h>
#include <hwy/targets.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstring>
#include <limits>
#include <random>
#include <string>
#include <tuple>
#include <vector>

#include "kernels/cache_pages.h"
#include "kernels/cpu/instructions.h"
#include "kernels/cpu/int8.h"
#include "kernels/kernels.h"
#include "kernels/pool.h"
#include "kernels/reference/reference.h"
#include "quant_weights.h"
#include "support/devices.h"
#include "tolerances.h"

namespace galago::kernels {
namespace {

// What a test switches off in turn.
#if HWY_ARCH_X86
constexpr int64_t kNoAvx512 = HWY_AVX3 | HWY_AVX3_DL, kNoAvx2 = kNoAvx512 | HWY_AVX2;
constexpr int64_t kOff[] = {0, kNoAvx512, kNoAvx2};
#else
constexpr int64_t kOff[] = {0};
#endif

/// Rows of normal numbers, each row of another size unless `even`, `gap` columns apart from the next.
class Rows {
 public:
  Rows(int64_t rows, int64_t cols, uint32_t seed, int64_t gap = 0, bool even = false)
      : storage_({rows, cols + gap}), view_(storage_.data(), rows, cols, cols + gap) {
    std::mt19937 random(seed);
    std::normal_distribution<float> normal(0, 1);
    for (int64_t r = 0; r < rows; ++r)
      for (int64_t c = 0; c < cols; ++c)
        view_.row(r)[c] = normal(random) * (even ? 1 : std::exp2(static_cast<float>(r % 5 - 2)));
  }
  Matrix view() const { return view_; }
  float* row(int64_t r) const { return view_.row(r); }
  TensorView weight() const {
    return {DType::f32, {view_.rows, view_.cols}, reinterpret_cast<const std::byte*>(storage_.data())};
  }
  TensorView bias() const {
    return {DType::f32, {view_.cols}, reinterpret_cast<const std::byte*>(storage_.data())};
  }

 private:
  Tensor storage_;
  Matrix view_;
};

Linear int8_layer(const WeightView& weight, const TensorView& bias = {}) {
  return Linear({weight, bias, Arithmetic::int8}, test::device());
}

/// The product on both devices: float rounding of what the whole numbers give, of the bias and of the
/// residual.
void expect_the_twins(const Linear& layer, const Rows& x, int64_t gap = 0,
                      Activation activation = Activation::none, bool residual = false) {
  const int64_t rows = x.view().rows, out = layer.out_features();
  const Rows fast(rows, out, 8, gap), twin(rows, out, 8, gap), sums(rows, out, 8), added(rows, out, 9, gap);
  Epilogue epilogue{.activation = activation};
  if (residual) epilogue.residual = added.view();
  test::device().linear(x.view(), layer, fast.view(), epilogue);
  const Linear plain(Weight{layer.weight(), nullptr}, {}, Arithmetic::int8, test::device());
  const Product defined{&layer, twin.view(), epilogue}, sum{&plain, sums.view(), {}};
  reference::linear_each(x.view(), {&defined, 1});
  reference::linear_each(x.view(), {&sum, 1});
  for (int64_t r = 0; r < rows; ++r)
    for (int64_t o = 0; o < out; ++o) {
      const double size = std::abs(double{sums.row(r)[o]}) + (layer.bias() ? std::abs(layer.bias()[o]) : 0) +
                          (residual ? std::abs(added.row(r)[o]) : 0);
      if (fast.row(r)[o] == twin.row(r)[o]) continue;  // infinite, for example
      const double bound = kLinearBound + (activation == Activation::none ? 0 : 2 * kGeluBound);
      ASSERT_NEAR(fast.row(r)[o], twin.row(r)[o], bound * size + 1e-37) << "row " << r << " output " << o;
    }
}

TEST(Int8, ByHand) {
  const float most = 2;
  const std::vector<float> weight = {1, -0.5f, 0.25f, 4, 0, -4};
  const Linear layer =
      int8_layer(TensorView{DType::f32, {2, 3}, reinterpret_cast<const std::byte*>(weight.data())});
  const Rows x(33, 3, 1), y(33, 2, 1);
  const std::vector<float> row = {most, 0.5f, -1};
  for (int64_t r = 0; r < 33; ++r) std::memcpy(x.row(r), row.data(), 12);
  // x is (127, 32, -64) times 2 / 127: 31.75 and -63.5 go up and to the even number. The first row of weights
  // is (127, -64, 32) times 1 / 127, the second one (127, 0, -127) times 4 / 127.
  const double first = (127 * 127 - 32 * 64 - 64 * 32) * 2.0 / (127 * 127);
  const double second = (127 * 127 + 64 * 127) * 2.0 * 4 / (127 * 127);
  for (const test::Backend backend : {test::Backend::reference, test::Backend::cpu}) {
    test::device(backend).linear(x.view(), layer, y.view());
    EXPECT_NEAR(y.row(32)[0], first, 1e-6);
    EXPECT_NEAR(y.row(32)[1], second, 1e-6);
  }
}

// Halves go to the even number, above zero and below, in vectors as in what is left behind them.
TEST(Int8, HalvesGoToTheEvenNumber) {
  constexpr int64_t kIn = 150;
  const Rows x(33, kIn, 1), weight(48, kIn, 2);
  const auto fill = [](float* row, int64_t step) {
    for (int64_t c = 0; c < kIn; ++c) {
      const auto whole = static_cast<float>(c * step % 127);
      row[c] = c == 0 ? 127.0f : c % 5 == 0 ? -0.0f : (c % 2 == 0 ? 1.0f : -1.0f) * (whole + 0.5f);
    }
  };
  for (int64_t r = 0; r < 33; ++r) fill(x.row(r), 1 + r);
  for (int64_t r = 0; r < 48; ++r) fill(weight.row(r), 3 + r);
  for (const int64_t off : kOff) {
    hwy::DisableTargets(off | cpu::capped_targets());
    expect_the_twins(int8_layer(weight.weight()), x);
  }
  hwy::DisableTargets(cpu::capped_targets());
}

TEST(Int8, IsTheTwinForAnySize) {
  for (const int64_t off : kOff) {
    hwy::DisableTargets(off | cpu::capped_targets());
    for (const int64_t rows : {33, 71})
      for (const auto& [in, out] : {std::pair<int64_t, int64_t>{1, 1},
                                    {2, 3},
                                    {3, 48},
                                    {33, 20},
                                    {64, 49},
                                    {101, 130},
                                    {769, 50},
                                    {2051, 17},
                                    {4100, 49},
                                    {8300, 5}}) {
        SCOPED_TRACE(testing::Message() << rows << "x" << in << "x" << out << " without " << off);
        const Rows x(rows, in, 1, 3), weight(out, in, 2), bias(1, out, 3);
        expect_the_twins(int8_layer(weight.weight()), x);
        expect_the_twins(int8_layer(weight.weight(), bias.bias()), x, 5, Activation::gelu_tanh, true);
      }
  }
  hwy::DisableTargets(cpu::capped_targets());
}

TEST(Int8, TakesWeightsOfAnyFormat) {
  for (const int64_t off : kOff) {
    hwy::DisableTargets(off | cpu::capped_targets());
    for (const auto& [in, out] : {std::pair<int64_t, int64_t>{32, 1}, {96, 53}, {576, 100}, {4128, 33}}) {
      SCOPED_TRACE(testing::Message() << in << "x" << out << " without " << off);
      const Rows x(40, in, 1), weight(out, in, 2);
      for (const WeightFormat format : {WeightFormat::bf16, WeightFormat::f16}) {
        std::vector<std::byte> halves(static_cast<size_t>(2 * in * out));
        test::device().convert_weights(weight.weight(), format, {.values = halves.data()});
        WeightView view(format, out, in);
        view.values = halves.data();
        expect_the_twins(int8_layer(view), x);
      }
      for (const WeightFormat format : {WeightFormat::q8, WeightFormat::q4}) {
        const QuantisedMatrix quantised(format, out, in, 1, 1);
        expect_the_twins(int8_layer(quantised.view()), x);
        expect_the_twins(int8_layer(quantised.packed()), x);
      }
    }
  }
  hwy::DisableTargets(cpu::capped_targets());
}

// The first product of a layer notes them, later ones go by what was noted.
TEST(Int8, NotesTheLargestSizeOfEachRowOfWeights) {
  constexpr int64_t kIn = 64, kOut = 53;
  const Rows x(40, kIn, 1), weight(kOut, kIn, 2), first(40, kOut, 3), second(40, kOut, 4);
  weight.row(50)[3] = std::numeric_limits<float>::quiet_NaN();
  weight.row(51)[4] = -std::numeric_limits<float>::infinity();
  std::fill_n(weight.row(52), kIn, 0.0f);
  const QuantisedMatrix q8(WeightFormat::q8, kOut, kIn, 1, 1), q4(WeightFormat::q4, kOut, kIn, 1, 1);
  for (const WeightView& view :
       {LinearView{weight.weight(), {}}.weight, q8.view(), q8.packed(), q4.packed()}) {
    const Linear layer = int8_layer(view), floats({view, {}}, test::device());
    ASSERT_EQ(floats.row_sizes(), nullptr);
    for (int64_t o = 0; o < kOut; ++o) ASSERT_LT(layer.row_sizes()[o], 0);
    test::device().linear(x.view(), layer, first.view());
    test::device().linear(x.view(), layer, second.view());
    for (int64_t r = 0; r < 40; ++r) ASSERT_EQ(std::memcmp(first.row(r), second.row(r), 4 * kOut), 0) << r;
    std::vector<float> row(kIn);
    for (int64_t o = 0; o < kOut; ++o) {
      const int32_t id = static_cast<int32_t>(o);
      test::device().gather_rows(view, {&id, 1}, {row.data(), 1, kIn});
      float largest = 0;
      for (const float number : row) largest = std::max(largest, std::abs(number));  // no NaN
      const bool finite = std::ranges::all_of(row, [](float number) { return std::isfinite(number); });
      const float noted = layer.row_sizes()[o];
      ASSERT_EQ(std::isfinite(noted), finite) << o;
      if (finite) {
        ASSERT_EQ(noted, largest) << o;
      }
    }
    layer.row_sizes()[0] = 2 * layer.row_sizes()[0];
    test::device().linear(x.view(), layer, second.view());
    for (int64_t r = 0; r < 40; ++r) ASSERT_NE(first.row(r)[0], second.row(r)[0]) << r;
  }
}

/// One of the ways to multiply, in the instruction set that is left without some.
struct WayHere {
  const char* name;
  cpu::Int8Way way;
  int64_t off;
  const char* instruction;
};

class Int8Ways : public testing::TestWithParam<WayHere> {
 protected:
  void SetUp() override {
    hwy::DisableTargets(GetParam().off | cpu::capped_targets());
    if (!cpu::has_int8_way(GetParam().way))
      GTEST_SKIP() << "no " << GetParam().instruction << " in the instruction set that is used here";
  }
  void TearDown() override { hwy::DisableTargets(cpu::capped_targets()); }

  static void multiply(const Linear& layer, ConstMatrix x, cpu::Int8Way way, Matrix y) {
    Pool pool(1);
    const Product product{&layer, y, {}};
    const cpu::Chain chain{{&product, 1}, {}, Ways().panel_depth};
    const auto rows = cpu::int8_rows(pool, x, way);
    for (int64_t panel = 0; panel * cpu::int8_panel_columns() < y.cols; ++panel)
      cpu::int8_task(rows, chain, panel, 0, x.rows);
  }
  static void expect_the_bits_of_shorts(const Linear& layer, const Rows& x) {
    const int64_t rows = x.view().rows, out = layer.out_features();
    const Rows asked(rows, out, 3), shorts(rows, out, 4);
    multiply(layer, x.view(), GetParam().way, asked.view());
    multiply(layer, x.view(), cpu::Int8Way::shorts, shorts.view());
    for (int64_t r = 0; r < rows; ++r)
      ASSERT_EQ(std::memcmp(asked.row(r), shorts.row(r), static_cast<size_t>(4 * out)), 0) << "row " << r;
  }
};

constexpr WayHere kWays[] = {
    {"Bytes", cpu::Int8Way::bytes, 0, "products of bytes"},
#if HWY_ARCH_X86
    {"Amx", cpu::Int8Way::amx, 0, "AMX"},
    {"AvxVnni", cpu::Int8Way::bytes, kNoAvx512, "AVX_VNNI"},
    {"AvxVnniInEvex", cpu::Int8Way::evex_bytes, kNoAvx512, "AVX512_VNNI"},
#else
    {"Matrices", cpu::Int8Way::matrices, 0, "i8mm"},
#endif
};
INSTANTIATE_TEST_SUITE_P(All, Int8Ways, testing::ValuesIn(kWays),
                         [](const auto& of) { return std::string(of.param.name); });

// Numbers of inputs that end anywhere in what is multiplied at once, of more than one depth; blocks of any
// number of rows.
TEST_P(Int8Ways, GiveTheBitsOfShorts) {
  for (const int64_t rows : {33, 42, 47})
    for (const auto& [in, out] : {std::pair<int64_t, int64_t>{1, 1},
                                  {2, 12},
                                  {5, 7},
                                  {11, 13},
                                  {12, 24},
                                  {577, 96},
                                  {1030, 50},
                                  {4099, 48},
                                  {8201, 25}}) {
      SCOPED_TRACE(testing::Message() << rows << "x" << in << "x" << out);
      const Rows weight(out, in, 2);
      expect_the_bits_of_shorts(int8_layer(weight.weight()), Rows(rows, in, 1, 5));
    }
}

TEST_P(Int8Ways, GiveThemWithWeightsInPanels) {
  for (const WeightFormat format : {WeightFormat::q8, WeightFormat::q4})
    for (const auto& [in, out] : {std::pair<int64_t, int64_t>{32, 1}, {96, 53}, {4128, 33}}) {
      SCOPED_TRACE(testing::Message() << in << "x" << out);
      const QuantisedMatrix quantised(format, out, in, 1, 1);
      expect_the_bits_of_shorts(int8_layer(quantised.packed()), Rows(41, in, 1));
    }
}

// The largest products of both signs: with an offset their sums leave 32 bits on the way and come back.
TEST_P(Int8Ways, GiveTheLargestSums) {
  const int64_t in = kMostInt8Columns;
  const Rows x(34, in, 1), weight(3, in, 2), y(34, 3, 3);
  for (int64_t r = 0; r < 34; ++r) std::fill_n(x.row(r), in, r % 2 == 0 ? 1.0f : -1.0f);
  for (int64_t o = 0; o < 3; ++o) std::fill_n(weight.row(o), in, o == 1 ? -1.0f : 1.0f);
  multiply(int8_layer(weight.weight()), x.view(), GetParam().way, y.view());
  for (int64_t r = 0; r < 34; ++r)
    for (int64_t o = 0; o < 3; ++o) {
      const auto sum = static_cast<float>((r % 2 == 0) == (o != 1) ? in : -in);
      ASSERT_NEAR(y.row(r)[o], sum, in * 1e-6) << r << " " << o;
    }
}

TEST_P(Int8Ways, HaveAYardstick) {
  EXPECT_GT(cpu::int8_step_operations(GetParam().way), 0);
  cpu::int8_steps(GetParam().way, 10, 0x01010101);
}

TEST(Int8, ARowDependsNeitherOnItsNeighboursNorOnThreads) {
  constexpr int64_t kRows = 700, kIn = 610, kOut = 75;
  const Rows x(kRows, kIn, 1), weight(kOut, kIn, 2), bias(1, kOut, 3), whole(kRows, kOut, 4);
  const Linear layer = int8_layer(weight.weight(), bias.bias());
  cpu_device(1)->linear(x.view(), layer, whole.view(), {.activation = Activation::silu});
  for (const int threads : {1, 2, 3})
    for (const int64_t chunk : {33, 50, 257, 700}) {
      const SharedDevice device = cpu_device(threads);
      const Rows parts(kRows, kOut, 5);
      for (int64_t begin = 0, end; begin < kRows; begin = end) {
        end = kRows - begin < chunk + 33 ? kRows : begin + chunk;
        device->linear(x.view().slice_rows(begin, end - begin), layer,
                       parts.view().slice_rows(begin, end - begin), {.activation = Activation::silu});
      }
      for (int64_t r = 0; r < kRows; ++r)
        for (int64_t o = 0; o < kOut; ++o)
          ASSERT_EQ(parts.row(r)[o], whole.row(r)[o]) << threads << " threads, " << chunk << " rows at once";
    }
}

TEST(Int8, ZerosAndNumbersBesideAHugeOne) {
  for (const int64_t off : kOff) {
    hwy::DisableTargets(off | cpu::capped_targets());
    const Rows x(40, 100, 1), weight(50, 100, 2), y(40, 50, 3);
    std::fill_n(x.row(3), 100, 0.0f);
    std::fill_n(x.row(4), 100, 1e-40f);
    std::fill_n(weight.row(7), 100, 0.0f);
    x.row(5)[17] = 3e38f;  // 254 times as large as the others: they all become 0
    weight.row(9)[17] = -1e30f;
    const Linear layer = int8_layer(weight.weight());
    expect_the_twins(layer, x);
    test::device().linear(x.view(), layer, y.view());
    for (int64_t o = 0; o < 50; ++o) {
      EXPECT_EQ(y.row(3)[o], 0);
      EXPECT_EQ(y.row(4)[o], 0);
    }
    for (int64_t r = 0; r < 40; ++r) EXPECT_EQ(y.row(r)[7], 0);
    EXPECT_TRUE(std::isinf(y.row(5)[9]));  // 3e38 * -1e30, as in floats
  }
  hwy::DisableTargets(cpu::capped_targets());
}

TEST(Int8, WhatIsNotFiniteStaysInItsRow) {
  for (const int64_t off : kOff) {
    hwy::DisableTargets(off | cpu::capped_targets());
    for (const float strange :
         {std::numeric_limits<float>::infinity(), std::numeric_limits<float>::quiet_NaN()})
      for (const int64_t at : {0, 70}) {  // in a vector, and among the columns after the last whole one
        const Rows x(40, 71, 1), weight(20, 71, 2), y(40, 20, 3), twin(40, 20, 3);
        x.row(5)[at] = strange;
        weight.row(9)[at] = -strange;
        const Linear layer = int8_layer(weight.weight());
        test::device().linear(x.view(), layer, y.view());
        const Product product{&layer, twin.view(), {}};
        reference::linear_each(x.view(), {&product, 1});
        for (int64_t r = 0; r < 40; ++r)
          for (int64_t o = 0; o < 20; ++o) {
            EXPECT_EQ(std::isnan(y.row(r)[o]), r == 5 || o == 9) << r << " " << o;
            EXPECT_EQ(std::isnan(twin.row(r)[o]), r == 5 || o == 9) << r << " " << o;
          }
      }
  }
  hwy::DisableTargets(cpu::capped_targets());
}

// The largest sums: every product is 127 * 127. Longer rows are multiplied as floats, which keeps small
// numbers beside a large one.
TEST(Int8, TheLongestRows) {
  for (const int64_t in : {kMostInt8Columns, kMostInt8Columns + 1}) {
    const Rows x(33, in, 1), weight(2, in, 2), y(33, 2, 3);
    for (int64_t r = 0; r < 33; ++r) std::fill_n(x.row(r), in, r % 2 == 0 ? 1.0f : -1.0f);
    for (int64_t o = 0; o < 2; ++o) std::fill_n(weight.row(o), in, 1.0f);
    std::fill_n(x.row(0), in, 0.003f);
    x.row(0)[5] = 1;
    test::device().linear(x.view(), int8_layer(weight.weight()), y.view());
    const auto all = static_cast<double>(in);
    EXPECT_NEAR(y.row(0)[0], in <= kMostInt8Columns ? 1 : 1 + 0.003 * (all - 1), 1);
    EXPECT_NEAR(y.row(1)[1], -all, all * 1e-6);
  }
}

TEST(Int8, FewRowsStayFloat32) {
  const Rows x(kFewRows, 256, 1), weight(48, 256, 2), asked(kFewRows, 48, 3), exact(kFewRows, 48, 3);
  test::device().linear(x.view(), int8_layer(weight.weight()), asked.view());
  test::device().linear(x.view(), Linear({weight.weight(), {}}, test::device()), exact.view());
  for (int64_t r = 0; r < kFewRows; ++r)
    for (int64_t o = 0; o < 48; ++o) ASSERT_EQ(asked.row(r)[o], exact.row(r)[o]);
}

// Between two layers rows are floats, so the second layer sees the numbers that the first one would write.
TEST(Int8, FeedForwardIsOneLayerAfterTheOther) {
  for (const Activation activation :
       {Activation::none, Activation::relu, Activation::silu, Activation::gelu_tanh})
    for (const int64_t rows : {8, 40})
      for (const auto& [width, inner] : {std::pair<int64_t, int64_t>{64, 33}, {100, 256}, {4200, 100}}) {
        SCOPED_TRACE(testing::Message() << static_cast<int>(activation) << ", " << rows << " rows, " << width
                                        << " wide, " << inner << " between");
        const Rows x(rows, width, 1), first(inner, width, 2), gate(inner, width, 3), second(50, inner, 4),
            hidden(rows, inner, 5), y(rows, 50, 6), plain(rows, 50, 6);
        const Linear up = int8_layer(first.weight()), gated = int8_layer(gate.weight()),
                     down = int8_layer(second.weight());
        const std::vector<Product> in = {
            {&up, hidden.view(), {}},
            {&gated, hidden.view(), {.activation = activation, .factor = hidden.view()}}};
        test::device().feed_forward(x.view(), in, {&down, y.view(), {}});
        test::device().linear_each(x.view(), in);
        test::device().linear(hidden.view(), down, plain.view());
        for (int64_t r = 0; r < rows; ++r)
          for (int64_t o = 0; o < 50; ++o) ASSERT_EQ(y.row(r)[o], plain.row(r)[o]) << r << " " << o;
      }
}

// Products of other arithmetic beside them keep theirs.
TEST(Int8, OneProductOfEachArithmeticAtOnce) {
  const Rows x(50, 200, 1), weight(60, 200, 2), int8(50, 60, 3), floats(50, 60, 3), alone(50, 60, 3);
  const Linear whole = int8_layer(weight.weight()), exact({weight.weight(), {}}, test::device());
  const std::vector<Product> products = {{&exact, floats.view(), {}}, {&whole, int8.view(), {}}};
  test::device().linear_each(x.view(), products);
  for (const auto& [layer, y] : {std::pair{&whole, &int8}, {&exact, &floats}}) {
    test::device().linear(x.view(), *layer, alone.view());
    for (int64_t r = 0; r < 50; ++r)
      for (int64_t o = 0; o < 60; ++o) ASSERT_EQ(y->row(r)[o], alone.row(r)[o]);
  }
}

TEST(Int8, AttentionRoundsQueriesAndKeys) {
  for (const auto& [rows, heads, dim] : {std::tuple<int64_t, int64_t, int64_t>{9, 1, 2},
                                         {70, 2, 64},
                                         {600, 3, 64},
                                         {1030, 1, 72},
                                         {40, 2, 33},
                                         {60, 1, 6}}) {
    SCOPED_TRACE(testing::Message() << rows << " rows, " << heads << " heads of " << dim);
    const int64_t cols = heads * dim;
    const Rows q(rows, cols, 1, 0, true), k(rows, cols, 2, 0, true), v(rows, cols, 3, 0, true);
    const Rows fast(rows, cols, 4), twin(rows, cols, 4);
    const HeadLayout layout = {heads, heads, dim, 0.125f, Arithmetic::int8};
    std::vector<uint8_t> mask(static_cast<size_t>(rows), 1);
    mask.back() = 0;
    test::device().attention(q.view(), k.view(), v.view(), layout, mask, fast.view());
    reference::attention(q.view(), k.view(), v.view(), layout, mask, twin.view());
    for (int64_t r = 0; r < rows; ++r)
      for (int64_t c = 0; c < cols; ++c) ASSERT_NEAR(fast.row(r)[c], twin.row(r)[c], kInt8AttentionBound);
    std::vector<CausalRow> causal;
    const CachePages pages(k.view(), v.view(), 16);
    for (int64_t i = 0; i < rows; ++i) causal.push_back({pages.view(), i / 3, i});
    test::device().attention_cached(q.view(), causal, layout, fast.view());
    reference::attention_cached(q.view(), causal, layout, twin.view());
    for (int64_t r = 0; r < rows; ++r)
      for (int64_t c = 0; c < cols; ++c) ASSERT_NEAR(fast.row(r)[c], twin.row(r)[c], kInt8AttentionBound);
  }
}

}  // namespace
}  // namespace galago::kernels
