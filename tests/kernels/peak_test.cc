// The measured peak: finite, positive, and stopped when asked.
#include "kernels/peak.h"

#include <gtest/gtest.h>

#include <cmath>

#include "kernels/cpu/bf16.h"
#include "kernels/cpu/int8.h"

namespace galago::kernels {
namespace {

// How high the rates are is for `galago bench` to show; no test depends on the speed of the machine.
TEST(Peak, GivesRates) {
  const MachinePeak peak = measure_peak(2, 1);
  EXPECT_TRUE(std::isfinite(peak.gflops) && peak.gflops > 0);
  EXPECT_TRUE(std::isfinite(peak.gb_per_s) && peak.gb_per_s > 0);
}

TEST(Peak, EachArithmeticHasTheRateOfItsInstruction) {
  const MachinePeak peak = measure_peak(1, 1);
  EXPECT_EQ(peak.bf16_gflops > 0, cpu::has_bf16_products());
  EXPECT_EQ(peak.int8_gops > 0, cpu::int8_way() != cpu::Int8Way::shorts);
  EXPECT_EQ(peak.of(Arithmetic::f32), peak.gflops);
  EXPECT_EQ(peak.of(Arithmetic::bf16), cpu::has_bf16_products() ? peak.bf16_gflops : peak.gflops);
  EXPECT_EQ(peak.of(Arithmetic::int8), peak.int8_gops > 0 ? peak.int8_gops : peak.gflops);
}

TEST(Peak, StopsWhenAsked) {
  int asked = 0;
  measure_peak(1, 1000, [&] { return ++asked < 2; });
  EXPECT_EQ(asked, 2);
}

}  // namespace
}  // namespace galago::kernels
