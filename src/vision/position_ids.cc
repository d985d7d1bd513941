// Bucketed position ids; see the header. float where the reference uses float32, double where Python or torch
// does.
#include "vision/position_ids.h"

#include <algorithm>
#include <cmath>

namespace galago {
namespace {

// The upper ends of the buckets, 1/n, 2/n, ... below 1: computed in double and rounded once, as torch.arange
// does.
std::vector<float> bucket_boundaries(int64_t table_side) {
  const double step = 1.0 / static_cast<double>(table_side);
  const auto count = static_cast<int64_t>(std::ceil((1.0 - step) / step));
  std::vector<float> boundaries(static_cast<size_t>(std::max<int64_t>(count, 0)));
  for (size_t i = 0; i < boundaries.size(); ++i)
    boundaries[i] = static_cast<float>(step + static_cast<double>(i) * step);
  return boundaries;
}

// The bucket of each of `length` coordinates along one axis of which `visible` are picture.
std::vector<int64_t> axis_buckets(int64_t length, int64_t visible, const std::vector<float>& boundaries) {
  const float step = 1.0F / static_cast<float>(visible);
  constexpr auto kBelowOne = static_cast<float>(1.0 - 1e-6);
  std::vector<int64_t> buckets(static_cast<size_t>(length));
  for (int64_t i = 0; i < length; ++i) {
    const float fraction = std::min(static_cast<float>(i) * step, kBelowOne);
    const auto above = std::upper_bound(boundaries.begin(), boundaries.end(), fraction);
    buckets[static_cast<size_t>(i)] = above - boundaries.begin();
  }
  return buckets;
}

}  // namespace

std::vector<int32_t> vision_position_ids(std::span<const uint8_t> mask, int64_t height, int64_t width,
                                         int64_t table_side) {
  const auto visible = [&](int64_t i) { return mask[static_cast<size_t>(i)] != 0; };
  int64_t visible_rows = 0;
  int64_t visible_cols = 0;
  for (int64_t y = 0; y < height; ++y) visible_rows += visible(y * width) ? 1 : 0;
  for (int64_t x = 0; x < width; ++x) visible_cols += visible(x) ? 1 : 0;

  const std::vector<float> boundaries = bucket_boundaries(table_side);
  const std::vector<int64_t> rows = axis_buckets(height, visible_rows, boundaries);
  const std::vector<int64_t> cols = axis_buckets(width, visible_cols, boundaries);

  std::vector<int32_t> ids(mask.size(), 0);
  for (int64_t y = 0; y < height; ++y)
    for (int64_t x = 0; x < width; ++x)
      if (visible(y * width + x))
        ids[static_cast<size_t>(y * width + x)] =
            static_cast<int32_t>(rows[static_cast<size_t>(y)] * table_side + cols[static_cast<size_t>(x)]);
  return ids;
}

}  // namespace galago
