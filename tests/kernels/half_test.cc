// Floats to half numbers: every half number comes back, ties go to the even neighbour, what is too large
// stays finite; and the fast kernel gives the twin's bits on every instruction set.
#include <gtest/gtest.h>
#include <hwy/targets.h>

#include <bit>
#include <cmath>
#include <limits>
#include <random>
#include <vector>

#include "core/half.h"
#include "kernels/cpu/instructions.h"
#include "kernels/kernels.h"
#include "kernels/reference/reference.h"
#include "support/devices.h"

namespace galago::kernels {
namespace {

TEST(ToHalf, EveryHalfNumberComesBack) {
  for (uint32_t bits = 0; bits < 0x10000; ++bits) {
    const auto half = static_cast<uint16_t>(bits);
    const float value = from_f16(half);
    if (std::isfinite(value)) {
      ASSERT_EQ(galago::to_f16(value), half) << value;
    }
  }
}

TEST(ToHalf, RoundsToTheNearestAndTiesToTheEven) {
  for (uint32_t bits = 0; bits < 0x7bff; ++bits) {  // neighbours among the positive numbers
    const auto half = static_cast<uint16_t>(bits);
    const float low = from_f16(half), high = from_f16(static_cast<uint16_t>(bits + 1));
    const float middle = (low + high) / 2;  // exact
    const auto even = static_cast<uint16_t>(bits + bits % 2);
    ASSERT_EQ(galago::to_f16(middle), even) << middle;
    ASSERT_EQ(galago::to_f16(-middle), even | 0x8000);
    ASSERT_EQ(galago::to_f16(std::nextafter(middle, 0.0f)), half);
    ASSERT_EQ(galago::to_f16(std::nextafter(middle, high)), half + 1);
  }
}

TEST(ToHalf, WhatIsTooLargeStaysFinite) {
  constexpr float kInfinity = std::numeric_limits<float>::infinity();
  for (const float value : {65504.1f, 65520.0f, 65536.0f, 1e30f, kInfinity}) {
    EXPECT_EQ(from_f16(galago::to_f16(value)), 65504) << value;
    EXPECT_EQ(from_f16(galago::to_f16(-value)), -65504) << value;
  }
  EXPECT_EQ(galago::to_f16(1e-30f), 0);
  EXPECT_EQ(galago::to_f16(-1e-30f), 0x8000);
  EXPECT_TRUE(std::isnan(from_f16(galago::to_f16(std::numeric_limits<float>::quiet_NaN()))));
}

TEST(ToHalf, TheFastKernelGivesTheTwinsBits) {
  std::mt19937 random(1);
  std::uniform_int_distribution<uint32_t> any;
  std::vector<float> values;
  while (values.size() < 20003) {
    const float value = std::bit_cast<float>(any(random));
    values.push_back(std::isnan(value) ? 1e-6f : value);
    values.push_back(
        std::ldexp(1 + static_cast<float>(any(random) % 8192) / 4096, -static_cast<int>(any(random) % 28)));
  }
  std::vector<uint16_t> fast(values.size()), twin(values.size());
  const ConstMatrix row(values.data(), 1, std::ssize(values));
  void* to[] = {twin.data()};
  reference::scatter_rows(row, to, DType::f16);
  to[0] = fast.data();
  for (const int64_t off : {0LL, HWY_AVX3 | HWY_AVX3_DL, HWY_AVX3 | HWY_AVX3_DL | HWY_AVX2}) {
    hwy::DisableTargets(off | kernels::cpu::capped_targets());
    fast.assign(fast.size(), 0);
    test::device().scatter_rows(row, to, DType::f16);
    EXPECT_EQ(fast, twin);
  }
  hwy::DisableTargets(kernels::cpu::capped_targets());
  std::vector<float> broken(33, std::numeric_limits<float>::quiet_NaN());
  test::device().scatter_rows({broken.data(), 1, std::ssize(broken)}, to, DType::f16);
  for (size_t i = 0; i < broken.size(); ++i) EXPECT_TRUE(std::isnan(from_f16(fast[i]))) << i;
}

// Every float16, infinities and NaN too, on every instruction set.
TEST(Half, WideningIsExact) {
  constexpr int64_t kAll = 1 << 16;
  std::vector<uint16_t> halves(kAll);
  for (int64_t i = 0; i < kAll; ++i) halves[static_cast<size_t>(i)] = static_cast<uint16_t>(i);
  const TensorView table{DType::f16, {1, kAll}, reinterpret_cast<const std::byte*>(halves.data())};
  const int32_t first = 0;
  Tensor wide({1, kAll});
  for (const int64_t off : {0LL, HWY_AVX3 | HWY_AVX3_DL, HWY_AVX3 | HWY_AVX3_DL | HWY_AVX2}) {
    hwy::DisableTargets(off | kernels::cpu::capped_targets());
    test::device().gather_rows(table, {&first, 1}, wide.matrix());
    for (int64_t i = 0; i < kAll; ++i) {
      const float got = wide.data()[i], right = from_f16(halves[static_cast<size_t>(i)]);
      ASSERT_TRUE(std::isnan(right) ? std::isnan(got)
                                    : std::bit_cast<uint32_t>(got) == std::bit_cast<uint32_t>(right))
          << i << ": " << got;
    }
  }
  hwy::DisableTargets(kernels::cpu::capped_targets());
}

}  // namespace
}  // namespace galago::kernels
