// The weights that are packed next, brought into the second cache while a panel is in work: they come from
// memory, and packing reads so many of their rows side by side that no processor looks ahead in all of them.
#pragma once

#include <algorithm>
#include <cstdint>

#include "kernels/cpu/prefetch.h"
#include "kernels/cpu/products.h"

namespace galago::kernels::cpu {

/// Numbers [begin, begin + cols) of outputs [first, first + count) of every product of a chain, as far as
/// there are any.
struct WeightPart {
  int64_t first, count;
  int64_t begin, cols;
};

/// What is packed after a part: the same outputs further on, or the outputs behind them.
inline WeightPart next_part(const Chain& chain, WeightPart part) {
  part.begin += part.cols;
  if (part.begin < chain.products.front().layer->in_features()) return part;
  return {part.first + part.count, part.count, 0, part.cols};
}

/// A part, row by row.
class WeightsAhead {
 public:
  /// `steps`: how many steps there will be. The chain must outlive this.
  WeightsAhead(const Chain& chain, const WeightPart& part, int64_t steps) : chain_(chain), part_(part) {
    int64_t rows = 0;
    for (const Product& product : chain.products) rows += region_of(product.layer->weight()).rows;
    if (rows == 0) {
      link_ = chain.products.size();
      return;
    }
    most_lines_ = kMostLines / rows;
    runs_a_row_ = std::max<int64_t>(steps / rows, 1);
    begin_region();
  }

  /// Adds the lines of the next step to `prefetch`.
  void step(Prefetch& prefetch) {
    if (link_ == chain_.products.size()) return;
    const int64_t begin = std::min(run_ * run_lines_, region_.lines);
    prefetch.weights = region_.begin + kLine * begin;
    prefetch.weight_lines = std::min(region_.lines - begin, run_lines_);
    if (++run_ < runs_a_row_) return;
    run_ = 0;
    region_.begin += region_.stride;
    if (--region_.rows > 0) return;
    ++link_;
    begin_region();
  }

 private:
  static constexpr int64_t kLine = 64;
  static constexpr int64_t kMostLines = 4096;  // a quarter of a megabyte: more would put out what is in work

  /// Rows of memory, `stride` bytes apart.
  struct Region {
    const std::byte* begin;
    int64_t stride, rows, lines;
  };

  /// Of the first product from link_ on that has a row.
  void begin_region() {
    for (; link_ < chain_.products.size(); ++link_) {
      region_ = region_of(chain_.products[link_].layer->weight());
      region_.lines = std::min(region_.lines, most_lines_);
      run_lines_ = (region_.lines + runs_a_row_ - 1) / runs_a_row_;
      if (region_.rows > 0) return;
    }
  }

  Region region_of(const WeightView& weights) const {
    const auto& [first, count, begin, wanted] = part_;
    const int64_t rows = std::clamp<int64_t>(weights.rows - first, 0, count);
    const int64_t cols = std::clamp<int64_t>(weights.cols - begin, 0, wanted);
    if (rows == 0 || cols == 0) return {};
    const int64_t stride = weights.in_panels()   ? panel_bytes(weights.format, weights.cols)
                           : weights.in_blocks() ? weights.groups() * weights.block_bytes
                                                 : value_bytes(weights.format, weights.cols);
    const auto at = [&](int64_t col) { return stride * col / weights.cols; };
    const std::byte* const from = weights.in_panels() ? weights.panel(first) : weights.row(first);
    return {from + at(begin), stride, weights.in_panels() ? (rows + kPanelRows - 1) / kPanelRows : rows,
            (at(cols) + kLine - 1) / kLine};
  }

  const Chain& chain_;
  WeightPart part_;
  int64_t most_lines_ = 0, runs_a_row_ = 1;
  size_t link_ = 0;
  Region region_{};
  int64_t run_ = 0, run_lines_ = 0;
};

}  // namespace galago::kernels::cpu
