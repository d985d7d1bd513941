// Choosing by measuring: with times that are made up, and that the ways change no bit.
#include "kernels/tuning.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <map>
#include <random>
#include <vector>

#include "kernels/cpu/amx.h"
#include "kernels/quant_weights.h"
#include "support/devices.h"

namespace galago::kernels {
namespace {

Tensor random_rows(int64_t rows, int64_t cols, uint32_t seed) {
  std::mt19937 random(seed);
  std::normal_distribution<float> normal;
  Tensor values({rows, cols});
  for (int64_t i = 0; i < values.size(); ++i) values.data()[i] = normal(random);
  return values;
}

/// Ways whose two best times are alike.
std::vector<WayTimes> steady(const std::vector<double>& times) {
  std::vector<WayTimes> ways;
  for (const double ms : times) ways.push_back({ms, ms * 1.05});
  return ways;
}

TEST(Choosing, TheFirstStaysUnlessAnotherIsClearlyFaster) {
  EXPECT_EQ(fastest_way(steady({10.0, 9.6, 9.9})), 0u);
  EXPECT_EQ(fastest_way(steady({10.0, 9.4, 9.2})), 2u);
  EXPECT_EQ(fastest_way(steady({10.0, 12.0})), 0u);
  EXPECT_EQ(fastest_way(steady({10.0})), 0u);
}

TEST(Choosing, TimesOfABusyMachineTellNothing) {
  constexpr double kNever = std::numeric_limits<double>::infinity();
  const auto with = [](size_t way, double second) {
    std::vector<WayTimes> ways = steady({10.0, 9.0, 12.0});
    ways[way].second = second;
    return fastest_way(ways);
  };
  EXPECT_EQ(with(0, 20), std::nullopt) << "the first may be faster than it seems";
  EXPECT_EQ(with(1, 20), std::nullopt) << "the fastest one's time came once";
  EXPECT_EQ(with(2, 20), 1u) << "whom it does not concern";
  EXPECT_EQ(with(2, kNever), std::nullopt) << "its turn came once";
}

TEST(Choosing, WaysTakeTurnsAndTheBestTimesCount) {
  std::vector<size_t> asked;
  const std::vector<double> script = {5, 2, 9, 1, 8, 4, 7, 3, 6};
  const auto time = [&](size_t way) {
    asked.push_back(way);
    return script[asked.size() - 1];
  };
  const std::vector<WayTimes> times = race(3, time, {.ms = 1000, .rounds = 3});
  EXPECT_EQ(asked, (std::vector<size_t>{0, 1, 2, 1, 2, 0, 2, 0, 1}));
  const double best[] = {3, 1, 7}, second[] = {4, 2, 8};
  for (size_t way = 0; way < 3; ++way) {
    EXPECT_EQ(times[way].best, best[way]);
    EXPECT_EQ(times[way].second, second[way]);
  }
}

TEST(Choosing, EndsWithItsTime) {
  int calls = 0;
  const auto time = [&](size_t) { return ++calls, 10.0; };
  EXPECT_TRUE(fastest_way(race(2, time, {.ms = 40, .rounds = 100})));
  EXPECT_EQ(calls, 4);
  EXPECT_FALSE(fastest_way(race(2, time, {.ms = 25, .rounds = 100})));
  EXPECT_EQ(calls, 7);
}

TEST(Choosing, MeasuresWithAnyNumberOfThreads) {
  for (const int threads : {1, 3, 400, kMaxThreads}) {
    const TuningTable table = measure_tuning(threads, {.ms = 1, .rounds = 1});
    EXPECT_GE(table.ways.size(), prefetch_ways().size()) << threads;
  }
}

TEST(Choosing, MeasuresEveryWay) {
  const TuningTable table = measure_tuning(2, {.ms = 1e6, .rounds = 2});
  std::map<std::string, int> chosen;  // for each kind of way
  for (const TunedWay& way : table.ways) {
    EXPECT_GT(way.ms, 0) << way.name;
    EXPECT_LT(way.ms, 1e4) << way.name;
    chosen[way.name.substr(0, way.name.find(' '))] += way.chosen;
  }
  const bool products = chosen.erase("products") > 0;  // where the processor has two kinds
  const bool amx = chosen.erase("amx") > 0;
  EXPECT_EQ(amx, cpu::has_amx());
  EXPECT_EQ(chosen,
            (std::map<std::string, int>{{"prefetch", 1}, {"rows", 1}, {"operations", 1}, {"panel", 1}}));
  EXPECT_EQ(table.ways.size(), prefetch_ways().size() + rows_together_ways().size() +
                                   panel_depth_ways().size() + operations_per_part_ways().size() +
                                   (products ? 2 : 0) + (amx ? amx_depth_ways().size() : 0));
  EXPECT_GT(table.ms, 0);
  EXPECT_FALSE(measure_tuning(1, {.ms = 0.001, .rounds = 2}).settled);
}

/// Each way of each kind, the others as they stand.
std::vector<Ways> all_ways() {
  std::vector<Ways> ways(1);
  for (const WeightPrefetch& way : prefetch_ways()) ways.push_back({.prefetch = way});
  for (const int64_t rows : rows_together_ways()) ways.push_back({.rows_together = rows});
  for (const int64_t depth : panel_depth_ways()) ways.push_back({.panel_depth = depth});
  for (const int64_t depth : amx_depth_ways())
    if (depth > 0) ways.push_back({.amx_depth = depth});
  for (const int64_t operations : operations_per_part_ways())
    ways.push_back({.operations_per_part = operations});
  return ways;
}

/// Every number of `all` as of `first`, which becomes `all` if it is empty.
void expect_same(std::vector<Tensor> all, std::vector<Tensor>& first) {
  if (first.empty()) {
    first = std::move(all);
    return;
  }
  ASSERT_EQ(all.size(), first.size());
  for (size_t i = 0; i < all.size(); ++i)
    for (int64_t k = 0; k < all[i].size(); ++k)
      ASSERT_EQ(all[i].data()[k], first[i].data()[k]) << i << " " << k;
}

// Floats of each format, rows of each kind of kernel, and attention over a cache.
TEST(Choosing, NoWayChangesABit) {
  constexpr int64_t kIn = 96, kOut = 40;
  const Tensor x = random_rows(7, kIn, 1);
  std::vector<std::byte> floats(kOut * kIn * 4);
  for (size_t i = 0; i < floats.size(); ++i) floats[i] = std::byte{static_cast<uint8_t>(0x30 + i % 13)};
  const QuantisedMatrix q8(WeightFormat::q8, kOut, kIn, 1), q4(WeightFormat::q4, kOut, kIn, 1);
  std::vector<LinearView> views = {{q8.packed(), {}}, {q4.packed(), {}}};
  for (const DType dtype : {DType::f32, DType::bf16, DType::f16})
    views.push_back({TensorView{dtype, {kOut, kIn}, floats.data()}, {}});
  const std::byte* const page = reinterpret_cast<const std::byte*>(x.data());
  const CacheView cache{.pages = &page, .page_positions = 8, .stride = kIn, .dtype = DType::f32};
  const CausalRow row{cache, 0, 6};
  const HeadLayout layout{.heads = 3, .kv_heads = 3, .head_dim = 32, .scale = 0.2f};
  std::vector<Tensor> first;
  for (const Ways& ways : all_ways()) {
    const SharedDevice device = cpu_device(2, ways);
    std::vector<Tensor> all;
    for (const LinearView& view : views)
      for (const int64_t rows : {1, 2, 7}) {
        all.emplace_back(Shape{rows, kOut});
        device->linear(x.matrix().slice_rows(0, rows), Linear(view, *device), all.back().matrix());
      }
    all.emplace_back(Shape{1, kIn});
    device->attention_cached(x.matrix().slice_rows(6, 1), {&row, 1}, layout, all.back().matrix());
    ASSERT_NO_FATAL_FAILURE(expect_same(std::move(all), first));
  }
}

// Many rows whose sums wait for the next depth of a panel, in each arithmetic; bfloat16 and int8 have two and
// four numbers in a place.
TEST(Choosing, NoDepthOfPanelsChangesABit) {
  constexpr int64_t kRows = kFewRows + 10, kIn = 5000, kOut = 50;
  const Tensor x = random_rows(kRows, kIn, 2), weights = random_rows(kOut, kIn, 3);
  const TensorView view{DType::f32, {kOut, kIn}, reinterpret_cast<const std::byte*>(weights.data())};
  std::vector<Tensor> first;
  for (const Ways& ways : all_ways()) {
    const SharedDevice device = cpu_device(2, ways);
    std::vector<Tensor> all;
    for (const Arithmetic arithmetic : {Arithmetic::f32, Arithmetic::bf16, Arithmetic::int8}) {
      all.emplace_back(Shape{kRows, kOut});
      device->linear(x.matrix(), Linear(LinearView{view, {}, arithmetic}, *device), all.back().matrix());
    }
    ASSERT_NO_FATAL_FAILURE(expect_same(std::move(all), first));
  }
}

// Products and attention in each arithmetic, with AMX and without.
TEST(Choosing, WithoutAmxOnlyBfloat16IsAddedInAnotherOrder) {
  constexpr int64_t kRows = 2 * kFewRows, kIn = 1030, kOut = 50, kDim = 64;
  const Tensor x = random_rows(kRows, kIn, 2), weights = random_rows(kOut, kIn, 3),
               head = random_rows(kRows, kDim, 4);
  const TensorView view{DType::f32, {kOut, kIn}, reinterpret_cast<const std::byte*>(weights.data())};
  for (const Arithmetic arithmetic : {Arithmetic::f32, Arithmetic::bf16, Arithmetic::int8}) {
    std::vector<Tensor> products, attended;
    for (const int64_t depth : {int64_t{0}, Ways().amx_depth}) {
      const SharedDevice device = cpu_device(2, {.amx_depth = depth});
      products.emplace_back(Shape{kRows, kOut});
      device->linear(x.matrix(), Linear(LinearView{view, {}, arithmetic}, *device), products.back().matrix());
      attended.emplace_back(Shape{kRows, kDim});
      device->attention(head.matrix(), head.matrix(), head.matrix(), {1, 1, kDim, 0.1f, arithmetic}, {},
                        attended.back().matrix());
    }
    const auto difference = [](const std::vector<Tensor>& two) {
      float largest = 0;
      for (int64_t i = 0; i < two[0].size(); ++i)
        largest = std::max(largest, std::abs(two[0].data()[i] - two[1].data()[i]));
      return largest;
    };
    const bool bf16 = arithmetic == Arithmetic::bf16;
    EXPECT_EQ(difference(products) > 0, bf16 && cpu::has_amx());
    EXPECT_EQ(difference(attended) > 0, arithmetic != Arithmetic::f32 && cpu::has_amx());
    EXPECT_LT(difference(products), 1e-3);
    EXPECT_LT(difference(attended), 1e-3);
  }
}

}  // namespace
}  // namespace galago::kernels
