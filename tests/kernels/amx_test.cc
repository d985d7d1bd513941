// Blocks by AMX beside sums in double and in whole numbers: rows and places that fill tiles and that do not,
// panels side by side, and nothing written beyond. Where the processor has no AMX, tests/amx runs them.
#include "kernels/cpu/amx.h"

#include <gtest/gtest.h>

#include <bit>
#include <cmath>
#include <cstring>
#include <random>
#include <vector>

namespace galago::kernels::cpu {
namespace {

constexpr float kUntouched = 1234.5f;

/// Places of 4 bytes with any bits, or pairs of bfloat16 between -2 and 2.
std::vector<float> places(int64_t count, AmxNumbers numbers, uint32_t seed) {
  std::vector<float> all(static_cast<size_t>(count));
  std::mt19937 random(seed);
  std::uniform_real_distribution<float> some(-2, 2);
  for (float& place : all) {
    auto bits = static_cast<uint32_t>(random());
    if (numbers == AmxNumbers::pairs)
      bits =
          std::bit_cast<uint32_t>(some(random)) >> 16 | (std::bit_cast<uint32_t>(some(random)) & 0xffff0000U);
    std::memcpy(&place, &bits, 4);
  }
  return all;
}

double of_pair(const float& place, int which) {
  uint16_t pair[2];
  std::memcpy(pair, &place, 4);
  return std::bit_cast<float>(static_cast<uint32_t>(pair[which]) << 16);
}

template <class T>
int of_bytes(const float& place, int which) {
  T bytes[4];
  std::memcpy(bytes, &place, 4);
  return bytes[which];
}

struct Case {
  int64_t rows, cols, panels;
  bool accumulate;
};

template <AmxNumbers kNumbers, int kVectors>
void expect_sums(const Case& c) {
  SCOPED_TRACE(testing::Message() << c.rows << " rows of " << c.cols << ", " << c.panels << " panels of "
                                  << kVectors << ", accumulate " << c.accumulate);
  const int64_t width = kVectors * 16, a_stride = c.cols + 3, stride = c.cols * width + 16,
                sums_stride = c.panels * width + 5;
  const std::vector<float> a = places(c.rows * a_stride, kNumbers, 1),
                           panels = places(c.panels * stride, kNumbers, 2);
  std::vector<float> sums(static_cast<size_t>((c.rows + 1) * sums_stride), kUntouched), before;
  for (int64_t r = 0; r < c.rows; ++r)
    for (int64_t j = 0; j < c.panels * width; ++j)
      sums[static_cast<size_t>(r * sums_stride + j)] = std::bit_cast<float>(static_cast<int32_t>(r * 7 - j));
  if constexpr (kNumbers == AmxNumbers::pairs)
    for (float& sum : sums)
      if (sum != kUntouched) sum = static_cast<float>(std::bit_cast<int32_t>(sum));
  before = sums;
  const ConstMatrix x(a.data(), c.rows, c.cols, a_stride);
  const Matrix to(sums.data(), c.rows, c.panels * width, sums_stride);
  const Panels all{panels.data(), c.panels, stride};
  if constexpr (kVectors == 3)
    amx_rows<kNumbers, 3>(x, all, c.accumulate, to, Prefetch());
  else
    amx_rows<kNumbers, 2>(x, all, c.accumulate, to, NoPrefetch());
  const std::vector<float> beyond(sums.end() - sums_stride, sums.end());
  ASSERT_EQ(beyond, std::vector<float>(beyond.size(), kUntouched));
  for (int64_t r = 0; r < c.rows; ++r)
    for (int64_t j = 0; j < sums_stride; ++j) {
      const float got = to.row(r)[j], old = before[static_cast<size_t>(r * sums_stride + j)];
      if (j >= c.panels * width) {
        ASSERT_EQ(got, kUntouched) << r << " " << j;
        continue;
      }
      const float* const panel = panels.data() + j / width * stride + j % width;
      if constexpr (kNumbers == AmxNumbers::pairs) {
        double sum = c.accumulate ? old : 0, size = 1 + std::abs(sum);
        for (int64_t k = 0; k < c.cols; ++k)
          for (int i = 0; i < 2; ++i) {
            const double product = of_pair(x.row(r)[k], i) * of_pair(panel[k * width], i);
            sum += product;
            size += std::abs(product);
          }
        ASSERT_NEAR(got, sum, 1e-6 * size) << r << " " << j;
      } else {
        uint32_t sum = c.accumulate ? std::bit_cast<uint32_t>(old) : 0;
        for (int64_t k = 0; k < c.cols; ++k)
          for (int i = 0; i < 4; ++i)
            sum += static_cast<uint32_t>(of_bytes<int8_t>(x.row(r)[k], i) *
                                         of_bytes<uint8_t>(panel[k * width], i));
        ASSERT_EQ(std::bit_cast<uint32_t>(got), sum) << r << " " << j;
      }
    }
}

TEST(Amx, BlocksOfAnyShapeGiveTheirSums) {
  if (!has_amx()) GTEST_SKIP() << "no AMX here";
  for (const int64_t rows : {1, 15, 16, 17, 31, 32, 33, 71})
    for (const int64_t cols : {1, 15, 16, 17, 36, 64, 100})
      for (const bool accumulate : {false, true}) {
        expect_sums<AmxNumbers::pairs, 3>({rows, cols, 1, accumulate});
        expect_sums<AmxNumbers::pairs, 2>({rows, cols, 3, accumulate});
        expect_sums<AmxNumbers::bytes, 3>({rows, cols, 1, accumulate});
        expect_sums<AmxNumbers::bytes, 2>({rows, cols, 3, accumulate});
        if (testing::Test::HasFatalFailure()) return;
      }
}

// What a row gives is its own, and depths of whole tiles change no bit.
TEST(Amx, RowsAndDepthsChangeNoBit) {
  if (!has_amx()) GTEST_SKIP() << "no AMX here";
  constexpr int64_t kRows = 45, kCols = 90, kWidth = 48;
  const std::vector<float> a = places(kRows * kCols, AmxNumbers::pairs, 3),
                           panel = places(kCols * kWidth, AmxNumbers::pairs, 4);
  std::vector<float> together(kRows * kWidth), apart(kRows * kWidth);
  const ConstMatrix x(a.data(), kRows, kCols);
  const auto multiply = [&](const ConstMatrix& some, int64_t from, bool accumulate, const Matrix& to) {
    amx_rows<AmxNumbers::pairs, 3>(some, {panel.data() + from * kWidth}, accumulate, to, Prefetch());
  };
  multiply(x, 0, false, {together.data(), kRows, kWidth});
  for (int64_t r = 0; r < kRows; ++r) {
    const Matrix to(apart.data() + r * kWidth, 1, kWidth);
    const ConstMatrix row = x.slice_rows(r, 1);
    multiply(row.slice_cols(0, 32), 0, false, to);
    multiply(row.slice_cols(32, kCols - 32), 32, true, to);
  }
  EXPECT_EQ(together, apart);
}

}  // namespace
}  // namespace galago::kernels::cpu
