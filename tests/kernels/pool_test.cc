// The kernels' threads: every part once, errors to the caller, callers side by side, calls within calls.
#include <gtest/gtest.h>

#include <atomic>
#include <stdexcept>
#include <thread>
#include <vector>

#include "kernels/cpu/parallel.h"
#include "kernels/kernels.h"

namespace galago::kernels::cpu {
namespace {

/// Puts the number of threads back.
class Threads : public testing::TestWithParam<int> {
 protected:
  void SetUp() override { set_threads(GetParam()); }
  void TearDown() override { set_threads(0); }
};

TEST_P(Threads, EveryPartRunsOnce) {
  for (int round = 0; round < 300; ++round)
    for (const int64_t parts : {0, 1, 2, 7, 64}) {
      std::vector<std::atomic<int>> runs(64);
      parallel_parts(parts, [&](int64_t part) { ++runs[static_cast<size_t>(part)]; });
      for (int64_t part = 0; part < 64; ++part)
        ASSERT_EQ(runs[static_cast<size_t>(part)], part < parts ? 1 : 0) << parts << " parts, part " << part;
    }
}

TEST_P(Threads, RangesCoverTheItemsWithoutOverlap) {
  for (const int64_t items : {0, 1, 5, 1000})
    for (const int64_t cost : {int64_t{0}, int64_t{1}, int64_t{1} << 20}) {
      std::vector<std::atomic<int>> runs(1000);
      parallel_for(items, cost, [&](int64_t begin, int64_t end) {
        for (int64_t i = begin; i < end; ++i) ++runs[static_cast<size_t>(i)];
      });
      for (int64_t i = 0; i < 1000; ++i) ASSERT_EQ(runs[static_cast<size_t>(i)], i < items ? 1 : 0);
    }
}

TEST_P(Threads, AnErrorReachesTheCallerAndThePoolGoesOn) {
  for (int round = 0; round < 50; ++round) {
    std::atomic<int> done = 0;
    EXPECT_THROW(parallel_parts(20,
                                [&](int64_t part) {
                                  if (part % 7 == 3) throw std::runtime_error("no");
                                  ++done;
                                }),
                 std::runtime_error);
    const int before = done;
    EXPECT_GE(before, 3);
    parallel_parts(20, [&](int64_t) { ++done; });
    EXPECT_EQ(done - before, 20);
  }
}

TEST_P(Threads, CallersSideBySideAndCallsWithinCallsFinish) {
  std::atomic<int64_t> sum = 0;
  std::vector<std::jthread> callers;
  for (int caller = 0; caller < 4; ++caller)
    callers.emplace_back([&] {
      for (int round = 0; round < 200; ++round)
        parallel_parts(
            8, [&](int64_t part) { parallel_parts(4, [&](int64_t inner) { sum += part * 4 + inner; }); });
    });
  callers.clear();
  EXPECT_EQ(sum, int64_t{4} * 200 * (31 * 32 / 2));
}

INSTANTIATE_TEST_SUITE_P(Counts, Threads, testing::Values(1, 2, 3, 16));

}  // namespace
}  // namespace galago::kernels::cpu
