// Measures ways of the fast kernels against each other: few rows by weights that no cache holds, with each
// way to ask for them ahead and to read them; small products, divided and not; many rows with panels of
// several depths, with AMX and without, and in both arithmetics. Memory of its own: weights of the model may
// not have been read from the disk yet.
#include "kernels/tuning.h"

#include <algorithm>
#include <chrono>
#include <cstring>

#include "kernels/cpu/amx.h"
#include "kernels/cpu/bf16.h"
#include "kernels/cpu/products.h"
#include "kernels/pool.h"

namespace galago::kernels {
namespace {

using cpu::few_row_products;
using cpu::many_row_products;

constexpr int64_t kIn = 768;                           // columns of a matrix, as small models have them
constexpr int64_t kMemory = int64_t{128} << 20;        // bytes: beyond the last caches of two parts of a chip
constexpr int64_t kWindow = int64_t{2} << 20;          // of it that one time is taken with
constexpr int kPattern = 0x3c;                         // of every byte: harmless in all formats
constexpr int64_t kSequences = 8;                      // whose tokens are decoded together
constexpr int64_t kManyRows = 256, kManyColumns = 96;  // of the product of many rows, columns a thread
constexpr int64_t kDeepRows = 128, kDeepIn = 3072, kDeepColumns = 48;  // of the one whose panels may be deep
constexpr int64_t kSmall[] = {64, 192, 640};  // outputs of products that may not be worth a thread
constexpr int kSmallTimes = 8;                // one is too short for the clock
constexpr double kDepthShare = 0.32;          // of the time: for the depths of panels

class Measurement {
 public:
  explicit Measurement(int threads)
      : pool_(threads > 0 ? threads : processors()),
        device_(cpu_device(pool_.threads())),
        memory_({kMemory / 4}),
        x_({kManyRows, kDeepIn}),
        y_({kManyRows, std::max(kWindow / kIn, columns(kManyColumns, kIn))}) {
    std::memset(memory_.data(), kPattern, kMemory);
    std::fill_n(x_.data(), x_.size(), 0.5f);
    // threads start, scratch grows
    few_rows({}, WeightFormat::bf16);
    few_rows({}, WeightFormat::q8);
  }

  /// Some rows by the next part of the memory, as weights of that format; milliseconds.
  double few_rows(const Ways& ways, WeightFormat format, int64_t count = 1) {
    const bool floats = format == WeightFormat::bf16;
    const WeightView one(format, kPanelRows, kIn, floats ? WeightLayout::rows : WeightLayout::panels);
    const int64_t rows = kWindow / one.bytes() * kPanelRows;
    if (next_ + kWindow > kMemory) next_ = 0;
    const Linear layer = linear(format, rows, kIn, Arithmetic::f32, next_);
    next_ += kWindow;
    return time(layer, count, ways, [&](ConstMatrix x, const Product& product) {
      few_row_products(pool_, ways, x, {&product, 1});
    });
  }

  /// One row by small matrices, which caches hold after the first time.
  double small(const Ways& ways) {
    double ms = 0;
    for (const int64_t out : kSmall) {
      const Linear layer = linear(WeightFormat::bf16, out, kIn, Arithmetic::f32, 0);
      ms += time(layer, 1, ways, [&](ConstMatrix x, const Product& product) {
        for (int i = 0; i < kSmallTimes; ++i) few_row_products(pool_, ways, x, {&product, 1});
      });
    }
    return ms;
  }

  double many_rows(const Ways& ways, Arithmetic arithmetic) {
    return many_rows(linear(WeightFormat::bf16, columns(kManyColumns, kIn), kIn, arithmetic, 0), kManyRows,
                     ways);
  }

  /// Many rows by weights of so many columns that a panel's depth is for choice.
  double deep(const Ways& ways, Arithmetic arithmetic = Arithmetic::f32) {
    return many_rows(linear(WeightFormat::bf16, columns(kDeepColumns, kDeepIn), kDeepIn, arithmetic, 0),
                     kDeepRows, ways);
  }

  int threads() const { return pool_.threads(); }

 private:
  double many_rows(const Linear& layer, int64_t rows, const Ways& ways) {
    return time(layer, rows, ways, [&](ConstMatrix x, const Product& product) {
      many_row_products(pool_, ways, x, {&product, 1});
    });
  }

  Linear linear(WeightFormat format, int64_t rows, int64_t in, Arithmetic arithmetic, int64_t offset) const {
    WeightView view(format, rows, in, is_quantised(format) ? WeightLayout::panels : WeightLayout::rows);
    view.values = reinterpret_cast<const std::byte*>(memory_.data()) + offset;
    return {Weight{view, {}}, {}, arithmetic, *device_};
  }

  /// Outputs of a product of many rows: so many a thread, as far as there is memory for their weights.
  int64_t columns(int64_t a_thread, int64_t in) const {
    return std::min(a_thread * pool_.threads(), kMemory / (in * 2));
  }

  template <class Work>
  double time(const Linear& layer, int64_t rows, const Ways& ways, const Work& work) {
    pool_.divide_from(ways.operations_per_part);
    const Product product{&layer, Matrix(y_.data(), rows, layer.out_features()), {}};
    const ConstMatrix x(x_.data(), rows, layer.in_features());
    const auto start = std::chrono::steady_clock::now();
    work(x, product);
    return std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - start).count();
  }

  Pool pool_;
  SharedDevice device_;
  Tensor memory_, x_, y_;
  int64_t next_ = 0;
};

/// Races of ways, each in a share of the time, and the table that they fill.
class Races {
 public:
  explicit Races(const TuningLimits& limits) : limits_(limits) {}

  /// The index of the chosen one of `ways` ways.
  template <class Name, class Time>
  size_t choose(size_t ways, double share, const Name& name, const Time& time) {
    const std::vector<WayTimes> times =
        race(ways, time, {.ms = limits_.ms * share, .rounds = limits_.rounds});
    const std::optional<size_t> fastest = fastest_way(times);
    table_.settled = table_.settled && fastest;
    for (size_t way = 0; way < ways; ++way)
      table_.ways.push_back({.name = name(way), .ms = times[way].best, .chosen = way == fastest.value_or(0)});
    return fastest.value_or(0);
  }

  /// One of some numbers, which becomes that member of the table's ways. time(ways) with each in its turn.
  template <class Time>
  void choose_number(const char* name, std::span<const int64_t> numbers, int64_t Ways::*member, double share,
                     const Time& time) {
    Ways tried = table_.choice.ways;
    const size_t chosen = choose(
        numbers.size(), share, [&](size_t way) { return name + (" " + std::to_string(numbers[way])); },
        [&](size_t way) {
          tried.*member = numbers[way];
          return time(tried);
        });
    table_.choice.ways.*member = numbers[chosen];
  }

  TuningTable& table() { return table_; }

 private:
  TuningLimits limits_;
  TuningTable table_;
};

void choose_prefetch(Measurement& measurement, Races& races) {
  const auto prefetches = prefetch_ways();
  const auto name = [&](size_t way) {
    const auto& [hint, bytes] = prefetches[way];
    return "prefetch " + std::string(to_string(hint)) + (bytes ? " " + std::to_string(bytes) : "");
  };
  const auto time = [&](size_t way) {
    const Ways ways{.prefetch = prefetches[way]};
    // Tokens of one answer, and of several at once, for which the hint counts most.
    return measurement.few_rows(ways, WeightFormat::bf16) + measurement.few_rows(ways, WeightFormat::q8) +
           measurement.few_rows(ways, WeightFormat::bf16, kSequences);
  };
  races.table().choice.ways.prefetch = prefetches[races.choose(prefetches.size(), 0.4, name, time)];
}

/// Whether AMX multiplies, and with panels of which depth.
void choose_amx(Measurement& measurement, Races& races) {
  if (!cpu::has_amx()) return;
  const auto time = [&](const Ways& ways) {
    return measurement.many_rows(ways, Arithmetic::bf16) + measurement.deep(ways, Arithmetic::bf16);
  };
  time({.amx_depth = std::ranges::max(amx_depth_ways())});  // scratch grows
  races.choose_number("amx depth", amx_depth_ways(), &Ways::amx_depth, kDepthShare / 2, time);
}

void choose_arithmetic(Measurement& measurement, Races& races) {
  if (!cpu::has_bf16_products()) return;
  constexpr Arithmetic kArithmetics[] = {Arithmetic::f32, Arithmetic::bf16};
  const Ways& ways = races.table().choice.ways;
  measurement.many_rows(ways, Arithmetic::bf16);  // scratch grows
  const size_t chosen = races.choose(
      2, 0.12, [](size_t way) { return way == 0 ? "products f32" : "products bf16"; },
      [&](size_t way) { return measurement.many_rows(ways, kArithmetics[way]); });
  races.table().choice.bf16_is_faster = kArithmetics[chosen] == Arithmetic::bf16;
}

}  // namespace

TuningTable measure_tuning(int threads, const TuningLimits& limits) {
  const auto start = std::chrono::steady_clock::now();
  Races races(limits);
  Measurement measurement(threads);
  choose_prefetch(measurement, races);
  races.choose_number("rows together", rows_together_ways(), &Ways::rows_together, 0.06,
                      [&](const Ways& ways) { return measurement.few_rows(ways, WeightFormat::bf16); });
  if (measurement.threads() > 1)
    races.choose_number("operations a part", operations_per_part_ways(), &Ways::operations_per_part, 0.1,
                        [&](const Ways& ways) { return measurement.small(ways); });
  measurement.deep({.panel_depth = std::ranges::max(panel_depth_ways())});  // scratch grows
  races.choose_number("panel depth", panel_depth_ways(), &Ways::panel_depth,
                      cpu::has_amx() ? kDepthShare / 2 : kDepthShare,
                      [&](const Ways& ways) { return measurement.deep(ways); });
  choose_amx(measurement, races);
  choose_arithmetic(measurement, races);
  TuningTable table = std::move(races.table());
  table.ms = std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - start).count();
  return table;
}

}  // namespace galago::kernels
