// Measures ways of the fast kernels against each other: one row by weights that no cache holds, with each way
// to ask for them ahead; and many rows in both arithmetics. Memory of its own: weights of the model may not
// have been read from the disk yet.
#include "kernels/tuning.h"

#include <algorithm>
#include <chrono>
#include <cstring>

#include "kernels/cpu/bf16.h"
#include "kernels/cpu/products.h"
#include "kernels/pool.h"

namespace galago::kernels {
namespace {

using cpu::few_row_products;
using cpu::many_row_products;

constexpr int64_t kIn = 768;                           // columns of a matrix, as small models have them
constexpr int64_t kMemory = int64_t{48} << 20;         // bytes: beyond a core's share of the last cache
constexpr int64_t kWindow = int64_t{2} << 20;          // of it that one time is taken with
constexpr int kPattern = 0x3c;                         // of every byte: harmless in all formats
constexpr int64_t kManyRows = 256, kManyColumns = 96;  // of the product of many rows, columns a thread

class Measurement {
 public:
  explicit Measurement(int threads)
      : pool_(threads > 0 ? threads : processors()),
        device_(cpu_device(pool_.threads())),
        memory_({kMemory / 4}),
        x_({kManyRows, kIn}),
        y_({kManyRows, std::max(kWindow / kIn, many_columns())}) {
    std::memset(memory_.data(), kPattern, kMemory);
    std::fill_n(x_.data(), x_.size(), 0.5f);
    // threads start, scratch grows
    few_rows({}, WeightFormat::bf16);
    few_rows({}, WeightFormat::q8);
  }

  /// One row by the next part of the memory, as weights of that format; milliseconds.
  double few_rows(const WeightPrefetch& prefetch, WeightFormat format) {
    const bool floats = format == WeightFormat::bf16;
    const WeightView one(format, kPanelRows, kIn, floats ? WeightLayout::rows : WeightLayout::panels);
    const int64_t rows = kWindow / one.bytes() * kPanelRows;
    if (next_ + kWindow > kMemory) next_ = 0;
    const Linear layer = linear(format, rows, Arithmetic::f32, next_);
    next_ += kWindow;
    return time(layer, 1, rows, [&](ConstMatrix x, const Product& product) {
      few_row_products(pool_, prefetch, x, {&product, 1});
    });
  }

  double many_rows(Arithmetic arithmetic) {
    const int64_t out = many_columns();
    return time(linear(WeightFormat::bf16, out, arithmetic, 0), kManyRows, out,
                [&](ConstMatrix x, const Product& product) {
                  many_row_products(pool_, x, {&product, 1});
                });
  }

 private:
  Linear linear(WeightFormat format, int64_t rows, Arithmetic arithmetic, int64_t offset) const {
    WeightView view(format, rows, kIn, is_quantised(format) ? WeightLayout::panels : WeightLayout::rows);
    view.values = reinterpret_cast<const std::byte*>(memory_.data()) + offset;
    return {Weight{view, {}}, {}, arithmetic, *device_};
  }

  /// Of the product of many rows: as many as there is memory for, where threads are many.
  int64_t many_columns() const {
    constexpr int64_t kMost = kMemory / (kIn * 2);
    return std::min(kManyColumns * pool_.threads(), kMost);
  }

  template <class Work>
  double time(const Linear& layer, int64_t rows, int64_t out, const Work& work) {
    const Product product{&layer, Matrix(y_.data(), rows, out), {}};
    const auto start = std::chrono::steady_clock::now();
    work(x_.matrix().slice_rows(0, rows), product);
    return std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - start).count();
  }

  Pool pool_;
  SharedDevice device_;
  Tensor memory_, x_, y_;
  int64_t next_ = 0;
};

std::string name_of(const WeightPrefetch& way) {
  return "prefetch " + std::string(to_string(way.hint)) + (way.bytes ? " " + std::to_string(way.bytes) : "");
}

/// Times of some ways, which join the table; the index of the chosen one.
template <class Name, class Time>
size_t choose(size_t ways, const TuningLimits& limits, const Name& name, const Time& time,
              TuningTable& table) {
  const std::vector<WayTimes> times = race(ways, time, limits);
  const std::optional<size_t> fastest = fastest_way(times);
  table.settled = table.settled && fastest;
  for (size_t way = 0; way < ways; ++way)
    table.ways.push_back({.name = name(way), .ms = times[way].best, .chosen = way == fastest.value_or(0)});
  return fastest.value_or(0);
}

}  // namespace

TuningTable measure_tuning(int threads, const TuningLimits& limits) {
  const auto start = std::chrono::steady_clock::now();
  TuningTable table;
  Measurement measurement(threads);
  const auto ways = prefetch_ways();
  const auto part = [&](double share) {
    return TuningLimits{.ms = limits.ms * share, .rounds = limits.rounds};
  };
  const auto one_row = [&](size_t way) {
    return measurement.few_rows(ways[way], WeightFormat::bf16) +
           measurement.few_rows(ways[way], WeightFormat::q8);
  };
  table.choice.prefetch = ways[choose(
      ways.size(), part(0.8), [&](size_t way) { return name_of(ways[way]); }, one_row, table)];
  if (cpu::has_bf16_products()) {
    const Arithmetic arithmetics[] = {Arithmetic::f32, Arithmetic::bf16};
    measurement.many_rows(Arithmetic::bf16);  // scratch grows
    const size_t chosen = choose(
        2, part(0.2), [](size_t way) { return way == 0 ? "products f32" : "products bf16"; },
        [&](size_t way) { return measurement.many_rows(arithmetics[way]); }, table);
    table.choice.bf16_is_faster = arithmetics[chosen] == Arithmetic::bf16;
  }
  table.ms = std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - start).count();
  return table;
}

}  // namespace galago::kernels
