// What a choice is made of: names, the ways that are tried, and which of some times counts as faster.
#include "kernels/tuning.h"

#include <algorithm>
#include <array>
#include <limits>

namespace galago::kernels {

std::string_view to_string(PrefetchHint hint) {
  switch (hint) {
    case PrefetchHint::nta:
      return "nta";
    case PrefetchHint::t0:
      return "t0";
    case PrefetchHint::t1:
      return "t1";
    case PrefetchHint::none:
      return "none";
  }
  return "";
}

std::span<const WeightPrefetch> prefetch_ways() {
  using enum PrefetchHint;
  static constexpr std::array<WeightPrefetch, 10> kWays = {{{nta, 8192},
                                                            {t0, 8192},
                                                            {t1, 8192},
                                                            {none, 0},
                                                            {nta, 4096},
                                                            {t0, 4096},
                                                            {t1, 4096},
                                                            {nta, 2048},
                                                            {t0, 2048},
                                                            {t1, 2048}}};
  return kWays;
}

std::span<const int64_t> rows_together_ways() {
  static constexpr int64_t kWays[] = {1, 4};
  return kWays;
}

std::span<const int64_t> panel_depth_ways() {
  static constexpr int64_t kWays[] = {1024, 512, 2048};
  return kWays;
}

std::span<const int64_t> amx_depth_ways() {
  static constexpr int64_t kWays[] = {128, 256, 512, 1024, 0};
  return kWays;
}

std::span<const int64_t> operations_per_part_ways() {
  static constexpr int64_t kWays[] = {32'768, 131'072, 524'288};
  return kWays;
}

std::vector<WayTimes> race(size_t ways, const std::function<double(size_t way)>& time,
                           const TuningLimits& limits) {
  std::vector<WayTimes> times(ways);
  double spent = 0;
  for (int round = 0; round < limits.rounds; ++round)
    for (size_t i = 0; i < ways && spent < limits.ms; ++i) {
      const size_t way = (i + static_cast<size_t>(round)) % ways;  // who is first finds other caches
      const double ms = time(way);
      spent += ms;
      auto& [best, second] = times[way];
      second = std::min(second, std::max(best, ms));
      best = std::min(best, ms);
    }
  return times;
}

std::optional<size_t> fastest_way(std::span<const WayTimes> times) {
  constexpr double kFaster = 0.95, kAlike = 1.1;
  const auto faster = [](const WayTimes& a, const WayTimes& b) { return a.best < b.best; };
  const auto least = std::min_element(times.begin(), times.end(), faster);
  const auto told = [](const WayTimes& way) { return way.second <= kAlike * way.best; };
  const bool all = std::all_of(times.begin(), times.end(), [](const WayTimes& way) {
    return way.second < std::numeric_limits<double>::infinity();
  });
  if (!all || !told(*least) || !told(times.front())) return {};
  return least->best < kFaster * times.front().best ? static_cast<size_t>(least - times.begin()) : 0;
}

}  // namespace galago::kernels
