// What a device can do in more than one way with the same result, and which way is the fastest here:
// measured, since processors of the same instructions differ. In: a number of threads. Out: a choice, and the
// table of times that it comes from. Nothing here reads or writes a file (models/tuning.h remembers the
// choice).
#pragma once

#include <cstdint>
#include <functional>
#include <limits>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "kernels/kernels.h"

namespace galago::kernels {

/// Where a weight that is asked for ahead goes, as x86 has it: to the nearest cache on a way past the others
/// (nta), to all caches (t0), to all but the nearest (t1).
enum class PrefetchHint { nta, t0, t1, none };
/// "nta", "t0", "t1", "none".
std::string_view to_string(PrefetchHint hint);

/// How products of few rows ask for weights ahead. Changes no bit of a result.
struct WeightPrefetch {
  PrefetchHint hint = PrefetchHint::nta;
  int64_t bytes = 8192;  ///< from a weight that is read to the one that is asked for; 0 with `none`

  bool operator==(const WeightPrefetch&) const = default;
};

/// In what order the fast kernels do their work, and how they divide it. Changes no bit of a result, but for
/// amx_depth: whether it is 0 does, where bfloat16 is multiplied.
struct Ways {
  WeightPrefetch prefetch;
  /// Rows of weights that one row of floats meets at once: 1 reads memory in order, 4 keeps more in flight.
  int64_t rows_together = 1;
  /// Places of 4 bytes (a float, two bfloat16) that are packed at once of each column of a panel of weights,
  /// for many rows: as much as the second cache holds beside the rows.
  int64_t panel_depth = 1024;
  /// The same where AMX multiplies, as much as the first cache holds beside the rows. 0: AMX does not
  /// multiply.
  int64_t amx_depth = 128;
  /// Multiply-adds that are worth handing to another thread.
  int64_t operations_per_part = 32'768;

  bool operator==(const Ways&) const = default;
};

// What is tried of each: the one that stands without a choice first.
std::span<const WeightPrefetch> prefetch_ways();
std::span<const int64_t> rows_together_ways();
std::span<const int64_t> panel_depth_ways();
std::span<const int64_t> amx_depth_ways();
std::span<const int64_t> operations_per_part_ways();

/// What is chosen for a processor and a number of threads.
struct Tuning {
  Ways ways;
  bool bf16_is_faster = false;  ///< than float32, in products of many rows

  bool operator==(const Tuning&) const = default;
};

/// As cpu_device(threads), with a choice of ways.
SharedDevice cpu_device(int threads, const Ways& ways);

/// One way that was tried.
struct TunedWay {
  std::string name;     ///< e.g. "prefetch t0 8192" or "products bf16"
  double ms = 0;        ///< the best time of all rounds; infinite if its turn never came
  bool chosen = false;  ///< of the ways that it stands among
};
struct TuningTable {
  Tuning choice;
  std::vector<TunedWay> ways;
  double ms = 0;        ///< that all of it took
  bool settled = true;  ///< false: the machine was too busy to tell, and the fixed ways stay for now
};

/// What a measurement may take: it ends when `ms` are spent.
struct TuningLimits {
  double ms = 50;
  int rounds = 6;
};

/// Measures with `threads` threads (0: one a processor) on memory of its own, 128 MiB, which the weights of a
/// model stand for. Error{resource}.
TuningTable measure_tuning(int threads, const TuningLimits& limits = {});

/// The two best times of a way.
struct WayTimes {
  double best = std::numeric_limits<double>::infinity();
  double second = std::numeric_limits<double>::infinity();
};
/// time(way) is asked for each way in turn, round after round, so that what else the machine does falls on
/// all of them, until the rounds are done or the times sum up to limits.ms.
std::vector<WayTimes> race(size_t ways, const std::function<double(size_t way)>& time,
                           const TuningLimits& limits);
/// The fastest way, or the first if no other needs less than 95 % of its best time: a choice does not change
/// for what two measurements differ in. Nothing where the times do not tell: a way has not had two turns, or
/// the two best of the first or of the fastest way are more than a tenth apart.
std::optional<size_t> fastest_way(std::span<const WayTimes> times);

}  // namespace galago::kernels
