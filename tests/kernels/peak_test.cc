// The measured peak: finite, positive, and no product of this library passes it.
#include "kernels/peak.h"

#include <gtest/gtest.h>

#include <cmath>

#include "core/clock.h"
#include "kernels/kernels.h"

namespace galago::kernels {
namespace {

TEST(Peak, IsAtLeastWhatAProductReaches) {
  set_threads(1);
  const MachinePeak peak = measure_peak(5);
  ASSERT_TRUE(std::isfinite(peak.gflops) && std::isfinite(peak.gb_per_s));
  EXPECT_GT(peak.gb_per_s, 0.01);
  constexpr int64_t kSide = 512;
  Tensor weight({kSide, kSide}), x({kSide, kSide}), y({kSide, kSide});
  std::fill_n(weight.data(), weight.size(), 0.5f);
  std::fill_n(x.data(), x.size(), 0.5f);
  const Linear layer({{DType::f32, weight.shape(), reinterpret_cast<const std::byte*>(weight.data())}, {}});
  linear(x.matrix(), layer, y.matrix());
  double best = 0;
  for (int i = 0; i < 5; ++i) {
    const Clock clock;
    linear(x.matrix(), layer, y.matrix());
    best = std::max(best, 2.0 * kSide * kSide * kSide / clock.ms() / 1e6);
  }
  set_threads(0);
  EXPECT_GT(peak.gflops, 0.5 * best) << "far below what the processor does: the loop is not its peak";
}

TEST(Peak, StopsWhenAsked) {
  int asked = 0;
  measure_peak(1000, [&] { return ++asked < 2; });
  EXPECT_EQ(asked, 2);
}

}  // namespace
}  // namespace galago::kernels
