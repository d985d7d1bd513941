// Keys and values in pages, as a cache holds them.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "kernels/kernels.h"

namespace galago::kernels {

/// A copy of keys and values [n, cols] in pages of so many positions, f32 or f16, whose rows lie `gap`
/// elements apart. What is in no row is NaN.
class CachePages {
 public:
  CachePages(ConstMatrix keys, ConstMatrix values, int64_t page_positions, DType dtype = DType::f32,
             int64_t gap = 0)
      : view_{.pages = nullptr,
              .keys = 0,
              .values = page_positions * (keys.cols + gap) * size_of(dtype),
              .page_positions = page_positions,
              .stride = keys.cols + gap,
              .dtype = dtype} {
    const int64_t bytes = 2 * view_.values;
    for (int64_t p = 0; p < keys.rows; ++p) {
      if (p % page_positions == 0) pages_.emplace_back(static_cast<size_t>(bytes), std::byte{0xff});
      std::byte* const row = pages_.back().data() + p % page_positions * view_.stride * size_of(dtype);
      reference_device()->scatter_rows(keys.slice_rows(p, 1), {{row}}, dtype);
      reference_device()->scatter_rows(values.slice_rows(p, 1), {{row + view_.values}}, dtype);
    }
    for (const auto& page : pages_) beginnings_.push_back(page.data());
    view_.pages = beginnings_.data();
  }
  CachePages(const CachePages&) = delete;
  CachePages(CachePages&&) = default;

  /// Valid as long as this.
  const CacheView& view() const { return view_; }

 private:
  CacheView view_;
  std::vector<std::vector<std::byte>> pages_;
  std::vector<const std::byte*> beginnings_;
};

}  // namespace galago::kernels
