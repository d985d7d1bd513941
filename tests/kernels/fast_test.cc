// Every fast kernel against its scalar twin over one list of sizes: odd, tiny, tower and decoder shapes,
// views with a stride, pointers that are not aligned, zero rows. Bounds are in tolerances.h.
#include <gtest/gtest.h>
#include <hwy/targets.h>

#include <bit>
#include <cmath>
#include <cstring>
#include <random>
#include <tuple>
#include <vector>

#include "galago/error.h"
#include "kernels/cpu/instructions.h"
#include "kernels/kernels.h"
#include "kernels/model_shapes.h"
#include "kernels/reference/reference.h"
#include "support/devices.h"
#include "tolerances.h"

namespace galago::kernels {
namespace {

/// Rows of random floats whose first element is `shift` floats off alignment and whose stride has `gap` more
/// columns.
class Rows {
 public:
  Rows(int64_t rows, int64_t cols, uint32_t seed, int64_t gap = 0, int64_t shift = 0, float spread = 1)
      : storage_({rows * (cols + gap) + shift + 1}), view_(storage_.data() + shift, rows, cols, cols + gap) {
    std::mt19937 random(seed);
    std::normal_distribution<float> normal(0, spread);
    for (int64_t i = 0; i < storage_.size(); ++i) storage_.data()[i] = normal(random);
  }
  Matrix view() const { return view_; }
  float& at(int64_t r, int64_t c) const { return view_.row(r)[c]; }

 private:
  Tensor storage_;
  Matrix view_;
};

/// |got - twin| <= bound * size(r, c) for every element.
template <class Size>
void expect_close(const Rows& got, const Rows& twin, double bound, const Size& size) {
  for (int64_t r = 0; r < got.view().rows; ++r)
    for (int64_t c = 0; c < got.view().cols; ++c)
      ASSERT_LE(std::abs(double{got.at(r, c)} - twin.at(r, c)), bound * size(r, c))
          << "row " << r << " column " << c << ": " << got.at(r, c) << " instead of " << twin.at(r, c);
}

/// Floats rounded to a checkpoint's type, `shift` bytes off alignment.
std::vector<std::byte> encode(const Rows& rows, DType dtype, size_t shift) {
  const Matrix view = rows.view();
  std::vector<std::byte> bytes(shift + static_cast<size_t>(view.rows * view.cols * size_of(dtype)));
  std::byte* to = bytes.data() + shift;
  for (int64_t r = 0; r < view.rows; ++r)
    for (int64_t c = 0; c < view.cols; ++c, to += size_of(dtype)) {
      const uint32_t bits = std::bit_cast<uint32_t>(rows.at(r, c));
      // Truncation is a rounding too; float16 gets sign, a clamped exponent and the upper mantissa bits.
      const int exponent = static_cast<int>(bits >> 23 & 255) - 112;
      const uint32_t half = exponent <= 0 ? bits >> 16 & 0x8000
                                          : (bits >> 16 & 0x8000) | static_cast<uint32_t>(exponent) << 10 |
                                                (bits >> 13 & 0x3ff);
      const uint16_t narrow = static_cast<uint16_t>(dtype == DType::f16 ? half : bits >> 16);
      if (dtype == DType::f32)
        std::memcpy(to, &bits, sizeof bits);
      else
        std::memcpy(to, &narrow, sizeof narrow);
    }
  return bytes;
}

struct LinearCase {
  int64_t rows, in, out;
  DType dtype = DType::bf16;
  Activation activation = Activation::none;
  bool bias = true;
  int residual = 0;  // 0 none, 1 another matrix, 2 y itself
  int64_t gap = 0, shift = 0;
  float scale = 1;
  int factor = 0;  // as residual
};

void twin_linear(ConstMatrix x, const Linear& layer, Matrix y, const Epilogue& epilogue) {
  const Product product = {&layer, y, epilogue};
  reference::linear_each(x, {&product, 1});
}

void check_linear(const LinearCase& test) {
  const Rows weight(test.out, test.in, 1), bias(1, test.out, 2);
  const std::vector<std::byte> bytes = encode(weight, test.dtype, static_cast<size_t>(test.shift));
  const std::vector<std::byte> bias_bytes = encode(bias, test.dtype, 0);
  const Linear layer({TensorView{test.dtype, {test.out, test.in}, bytes.data() + test.shift},
                      test.bias ? TensorView{test.dtype, {test.out}, bias_bytes.data()} : TensorView{}},
                     test::device());
  const Rows x(test.rows, test.in, 3, test.gap, test.shift), other(test.rows, test.out, 4, test.gap);
  const Rows fast(test.rows, test.out, 5, test.gap, test.shift),
      twin(test.rows, test.out, 5, test.gap, test.shift);
  const Rows before(test.rows, test.out, 5, test.gap, test.shift);
  const auto operand = [&](int which, const Rows& y) {
    return which == 0 ? ConstMatrix() : ConstMatrix(which == 1 ? other.view() : y.view());
  };
  const auto epilogue = [&](const Rows& y) {
    return Epilogue{test.activation, operand(test.factor, y), test.scale, operand(test.residual, y)};
  };
  test::device().linear(x.view(), layer, fast.view(), epilogue(fast));
  twin_linear(x.view(), layer, twin.view(), epilogue(twin));
  std::vector<float> floats(static_cast<size_t>(test.out * test.in));
  to_floats(layer.weight(), floats.data());
  expect_close(fast, twin, kLinearBound, [&](int64_t r, int64_t c) {
    double size = std::abs(double{test.bias ? bias.at(0, c) : 0}) + std::abs(double{twin.at(r, c)}) + 1e-3;
    if (test.residual != 0) size += std::abs(double{(test.residual == 1 ? other : before).at(r, c)});
    double times = std::max(1.0, std::abs(double{test.scale}));
    if (test.factor != 0)
      times *= std::max(1.0, std::abs(double{(test.factor == 1 ? other : before).at(r, c)}));
    for (int64_t i = 0; i < test.in; ++i)
      size += std::abs(double{x.at(r, i)} * floats[static_cast<size_t>(c * test.in + i)]) * times;
    return size;
  });
}

TEST(Fast, LinearOverShapes) {
  for (const DType dtype : {DType::f32, DType::f16, DType::bf16})
    for (const int64_t rows : {0, 1, 2, 3, 5, 7, 8, 9, 17, 64, 70})
      for (const auto& [in, out] :
           {std::pair<int64_t, int64_t>{1, 1}, {3, 5}, {17, 19}, {64, 48}, {100, 130}}) {
        SCOPED_TRACE(testing::Message() << to_string(dtype) << " " << rows << "x" << in << "x" << out);
        check_linear({rows, in, out, dtype});
        check_linear({rows, in, out, dtype, Activation::none, false, 2, 3, 1});
      }
}

TEST(Fast, LinearEpilogues) {
  for (const Activation activation : {Activation::none, Activation::gelu_tanh, Activation::gelu_erf,
                                      Activation::quick_gelu, Activation::silu, Activation::relu})
    for (const int64_t rows : {1, 6, 33})
      for (const int residual : {0, 1, 2})
        for (const bool bias : {false, true}) {
          SCOPED_TRACE(testing::Message() << "activation " << static_cast<int>(activation) << " rows " << rows
                                          << " residual " << residual << " bias " << bias);
          check_linear({rows, 48, 37, DType::f32, activation, bias, residual, 0, 0});
          check_linear({rows, 48, 37, DType::bf16, activation, bias, residual, 5, 1});
        }
}

TEST(Fast, LinearScalesBeforeTheResidual) {
  for (const float scale : {0.22f, -3.0f, 0.0f})
    for (const Activation activation : {Activation::none, Activation::gelu_tanh, Activation::relu})
      for (const int64_t rows : {1, 6, 8, 9, 33})
        for (const int residual : {0, 1, 2})
          for (const bool bias : {false, true}) {
            SCOPED_TRACE(testing::Message()
                         << "scale " << scale << " activation " << static_cast<int>(activation) << " rows "
                         << rows << " residual " << residual << " bias " << bias);
            check_linear({rows, 48, 37, DType::f32, activation, bias, residual, 0, 0, scale});
            check_linear({rows, 48, 37, DType::bf16, activation, bias, residual, 5, 1, scale});
          }
}

TEST(Fast, LinearAtTheModelsShapes) {
  constexpr int64_t kRows = 20;  // a twin's work; more than the few rows that have a way of their own
  for (const LinearShape& shape : linear_shapes()) {
    SCOPED_TRACE(shape.name);
    check_linear({std::min(shape.rows, kRows), shape.in, shape.out, DType::bf16, shape.activation, shape.bias,
                  shape.residual ? 2 : 0});
  }
}

TEST(Fast, ActivationsKeepTheirRelativeAccuracy) {
  const Rows one(1, 1, 0);
  one.at(0, 0) = 1;
  const Linear identity(
      {TensorView{DType::f32, {1, 1}, reinterpret_cast<const std::byte*>(&one.at(0, 0))}, {}},
      test::device());
  constexpr int64_t kPoints = 2001;
  const Rows x(kPoints, 1, 0), fast(kPoints, 1, 0), twin(kPoints, 1, 0);
  for (int64_t i = 0; i < kPoints; ++i) x.at(i, 0) = static_cast<float>(i - 1000) / 100;
  for (const Activation activation :
       {Activation::gelu_tanh, Activation::gelu_erf, Activation::quick_gelu, Activation::silu})
    for (const int64_t rows : {kPoints, int64_t{1}}) {  // one product, then row by row
      SCOPED_TRACE(testing::Message() << "activation " << static_cast<int>(activation) << " rows " << rows);
      for (int64_t i = 0; i < kPoints; i += rows)
        test::device().linear(x.view().slice_rows(i, rows), identity, fast.view().slice_rows(i, rows),
                              {.activation = activation});
      twin_linear(x.view(), identity, twin.view(), {.activation = activation});
      expect_close(fast, twin, kGeluBound, [&](int64_t r, int64_t) { return 0.01 + std::abs(x.at(r, 0)); });
    }
}

TEST(Fast, LinearMultipliesBeforeTheScale) {
  for (const int64_t rows : {1, 6, 33, 40})
    for (const int factor : {1, 2})
      for (const int residual : {0, 1, 2}) {
        SCOPED_TRACE(testing::Message() << rows << " rows, factor " << factor << ", residual " << residual);
        check_linear({rows, 48, 37, DType::bf16, Activation::silu, true, residual, 5, 1, 0.5f, factor});
      }
}

TEST(Fast, SeveralProductsAtOnceAreEachAlone) {
  const Rows weights[] = {Rows(50, 40, 1), Rows(7, 40, 2), Rows(130, 40, 3)};
  for (const int64_t rows : {1, 5, 32, 33, 90}) {
    const Rows x(rows, 40, 4);
    std::vector<Linear> layers;
    std::vector<Rows> together, alone;
    std::vector<Product> products;
    for (const Rows& weight : weights) {
      const Matrix w = weight.view();
      layers.push_back(
          Linear({TensorView{DType::f32, {w.rows, w.cols}, reinterpret_cast<const std::byte*>(w.data)}, {}},
                 test::device()));
      together.emplace_back(rows, w.rows, 5);
      alone.emplace_back(rows, w.rows, 6);
    }
    for (size_t i = 0; i < layers.size(); ++i) products.push_back({&layers[i], together[i].view(), {}});
    test::device().linear_each(x.view(), products);
    for (size_t i = 0; i < layers.size(); ++i) {
      test::device().linear(x.view(), layers[i], alone[i].view());
      expect_close(together[i], alone[i], 0, [](int64_t, int64_t) { return 0; });
    }
  }
}

TEST(Fast, FeedForwardIsOneLayerAfterTheOther) {
  for (const DType dtype : {DType::f32, DType::bf16})
    for (const int64_t rows : {1, 32, 33, 300}) {
      SCOPED_TRACE(testing::Message() << rows << " rows");
      const Rows x(rows, 72, 1), weights[] = {Rows(150, 72, 2), Rows(150, 72, 3), Rows(40, 150, 4)};
      std::vector<std::vector<std::byte>> bytes;
      std::vector<Linear> layers;
      for (const Rows& weight : weights) {
        const Matrix w = weight.view();
        bytes.push_back(encode(weight, dtype, 0));
        layers.push_back(
            Linear({TensorView{dtype, {w.rows, w.cols}, bytes.back().data()}, {}}, test::device()));
      }
      const Rows hidden(rows, 150, 5), y(rows, 40, 6), plain(rows, 40, 7);
      const std::vector<Product> in = {
          {&layers[0], hidden.view(), {}},
          {&layers[1], hidden.view(), {.activation = Activation::silu, .factor = hidden.view()}}};
      test::device().feed_forward(x.view(), in, {&layers[2], y.view(), {.residual = y.view()}});
      test::device().linear_each(x.view(), in);
      const Rows residual(rows, 40, 6);
      test::device().linear(hidden.view(), layers[2], plain.view(), {.residual = residual.view()});
      expect_close(y, plain, 0, [](int64_t, int64_t) { return 0; });
    }
}

// The feed-forward part of a decoder: silu(gate) * up, in the place of up, beside a product of its own.
TEST(Fast, AProductMayMultiplyByTheOneBeforeIt) {
  for (const DType dtype : {DType::f32, DType::bf16})
    for (const auto& [rows, in] :
         {std::pair<int64_t, int64_t>{1, 72}, {5, 72}, {32, 72}, {33, 72}, {300, 72}, {40, 2100}}) {
      const Rows x(rows, in, 1), weights[] = {Rows(150, in, 2), Rows(150, in, 3), Rows(20, in, 4)};
      std::vector<std::vector<std::byte>> bytes;
      std::vector<Linear> layers;
      for (const Rows& weight : weights) {
        bytes.push_back(encode(weight, dtype, 0));
        layers.push_back(
            Linear({TensorView{dtype, {weight.view().rows, in}, bytes.back().data()}, {}}, test::device()));
      }
      const Rows together(rows, 150, 5), other(rows, 20, 5), up(rows, 150, 6), alone(rows, 150, 7),
          other_alone(rows, 20, 8);
      const auto gate = [](ConstMatrix factor) {
        return Epilogue{.activation = Activation::silu, .factor = factor};
      };
      test::device().linear_each(x.view(), {{{&layers[0], together.view()},
                                             {&layers[1], together.view(), gate(together.view())},
                                             {&layers[2], other.view()}}});
      test::device().linear(x.view(), layers[0], up.view());
      test::device().linear(x.view(), layers[1], alone.view(), gate(up.view()));
      test::device().linear(x.view(), layers[2], other_alone.view());
      const auto exactly = [](int64_t, int64_t) { return 0; };
      expect_close(together, alone, 0, exactly);
      expect_close(other, other_alone, 0, exactly);
    }
}

TEST(Fast, ARowDoesNotDependOnTheOthers) {
  // Few rows among each other, and many rows among each other.
  for (const auto& [fewest, most] : {std::pair<int64_t, int64_t>{1, 32}, {33, 120}}) {
    const Rows weight(133, 1100, 1), x(most, 1100, 2), together(most, 133, 3), some(most, 133, 4);
    const std::vector<std::byte> bytes = encode(weight, DType::bf16, 0);
    const Linear layer({TensorView{DType::bf16, {133, 1100}, bytes.data()}, {}}, test::device());
    test::device().linear(x.view(), layer, together.view());
    for (const int64_t count : {fewest, fewest + 2, most - 5})
      for (const int64_t first : {int64_t{0}, int64_t{3}, most - count}) {
        if (first + count > most) continue;
        test::device().linear(x.view().slice_rows(first, count), layer, some.view().slice_rows(first, count));
        for (int64_t r = first; r < first + count; ++r)
          for (int64_t c = 0; c < 133; ++c)
            ASSERT_EQ(some.at(r, c), together.at(r, c)) << count << " rows from " << first << ": row " << r;
      }
  }
}

TEST(Fast, Norms) {
  for (const int64_t rows : {0, 1, 5, 300})
    for (const int64_t cols : {1, 3, 16, 33, 576, 768})
      for (const int64_t gap : {0, 3}) {
        SCOPED_TRACE(testing::Message() << rows << "x" << cols << " gap " << gap);
        const Rows x(rows, cols, 1, gap, 1, 3), weight(1, cols, 2, 0, 1), bias(1, cols, 3);
        const Rows fast(rows, cols, 4, gap), twin(rows, cols, 4, gap), same(rows, cols, 1, gap, 1, 3);
        const auto size = [&](int64_t r, int64_t c) { return 1 + std::abs(twin.at(r, c)); };
        test::device().layer_norm(x.view(), &weight.at(0, 0), &bias.at(0, 0), 1e-6f, fast.view());
        reference::layer_norm(x.view(), &weight.at(0, 0), &bias.at(0, 0), 1e-6f, twin.view());
        expect_close(fast, twin, kNormBound, size);
        test::device().rms_norm(same.view(), &weight.at(0, 0), 1e-5f, same.view());
        reference::rms_norm(x.view(), &weight.at(0, 0), 1e-5f, twin.view());
        expect_close(same, twin, kNormBound, size);
      }
}

TEST(Fast, MovesGiveTheBitsOfTheirTwins) {
  const auto exactly = [](int64_t, int64_t) { return 0; };
  for (const int64_t rows : {0, 1, 7, 300})
    for (const int64_t cols : {1, 16, 33, 768}) {
      SCOPED_TRACE(testing::Message() << rows << "x" << cols);
      const Rows x(rows, cols, 1, 3, 1), fast(rows, cols, 2, 5), twin(rows, cols, 2, 5);
      test::device().add(x.view(), fast.view());
      reference::add(x.view(), twin.view());
      expect_close(fast, twin, 0, exactly);
      test::device().scale(fast.view(), 1.7f, fast.view());
      reference::scale(twin.view(), 1.7f, twin.view());
      expect_close(fast, twin, 0, exactly);
      test::device().copy(x.view(), fast.view());
      expect_close(fast, x, 0, exactly);
    }
  for (const auto& [height, width, patch] :
       {std::tuple<int64_t, int64_t, int64_t>{28, 30, 4}, {9, 7, 3}, {64, 64, 1}}) {
    const int64_t patches = height / patch * (width / patch), cols = 3 * patch * patch;
    const Rows tile(3, height * width, 1), fast(patches, cols, 2, 2), twin(patches, cols, 3, 1);
    const TileView view{tile.view().data, 3, height, width};
    test::device().unfold_patches(view, patch, fast.view());
    reference::unfold_patches(view, patch, twin.view());
    expect_close(fast, twin, 0, exactly);
  }
}

TEST(Fast, Rope) {
  for (const auto& [heads, dim] : {std::pair<int64_t, int64_t>{1, 2}, {3, 6}, {9, 64}, {2, 160}})
    for (const int64_t rows : {0, 1, 100}) {
      SCOPED_TRACE(testing::Message() << rows << " rows, " << heads << " heads of " << dim);
      std::vector<float> inv_freq;
      for (int64_t j = 0; j < dim / 2; ++j)
        inv_freq.push_back(std::pow(1e5f, -2 * static_cast<float>(j) / static_cast<float>(dim)));
      std::vector<int32_t> positions;
      for (int64_t i = 0; i < rows; ++i) positions.push_back(static_cast<int32_t>(i * i * 13));
      const Rows fast(rows, heads * dim, 1, 2), twin(rows, heads * dim, 1, 2),
          before(rows, heads * dim, 1, 2);
      test::device().rope(fast.view(), positions, inv_freq, dim, 1.5f);
      reference::rope(twin.view(), positions, inv_freq, dim, 1.5f);
      expect_close(fast, twin, kRopeBound, [&before, dim = dim](int64_t r, int64_t c) {
        const int64_t partner = c % dim < dim / 2 ? c + dim / 2 : c - dim / 2;
        return 1.5 * (std::abs(before.at(r, c)) + std::abs(before.at(r, partner)));
      });
    }
}

TEST(Fast, GatherRows) {
  const Rows table(20, 33, 1);
  const std::vector<int32_t> ids = {19, 0, 7, 7};
  for (const DType dtype : {DType::f32, DType::f16, DType::bf16}) {
    const std::vector<std::byte> bytes = encode(table, dtype, 1);
    const TensorView view{dtype, {20, 33}, bytes.data() + 1};
    const Rows fast(4, 33, 2), twin(4, 33, 3);
    test::device().gather_rows(view, ids, fast.view());
    reference::gather_rows(view, ids, twin.view());
    expect_close(fast, twin, 0, [](int64_t, int64_t) { return 0; });
  }
}

TEST(Fast, OlderInstructionSets) {
  for (const int64_t off : {HWY_AVX3 | HWY_AVX3_DL, HWY_AVX3 | HWY_AVX3_DL | HWY_AVX2}) {
    hwy::DisableTargets(off | kernels::cpu::capped_targets());
    SCOPED_TRACE(off);
    for (const DType dtype : {DType::f32, DType::f16, DType::bf16})
      check_linear({7, 45, 21, dtype, Activation::gelu_tanh, true, 1, 3, 1});
  }
  hwy::DisableTargets(kernels::cpu::capped_targets());
}

TEST(Devices, HaveANameAndThreads) {
  EXPECT_NE(cpu_device()->name().find("cpu: "), std::string::npos);
  EXPECT_EQ(reference_device()->name(), "reference");
  EXPECT_EQ(reference_device()->threads(), 1);
  EXPECT_GE(cpu_device()->threads(), 1);
  EXPECT_EQ(cpu_device(kMaxThreads)->threads(), kMaxThreads);
  for (const int wrong : {-1, kMaxThreads + 1, 100'000}) {
    try {
      cpu_device(wrong);
      ADD_FAILURE() << wrong << " threads";
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), ErrorCode::usage);
    }
  }
}

TEST(Devices, DoNotChangeEachOthersThreads) {
  const SharedDevice one = cpu_device(1), three = cpu_device(3);
  EXPECT_EQ(one->threads(), 1);
  EXPECT_EQ(three->threads(), 3);
}

}  // namespace
}  // namespace galago::kernels
