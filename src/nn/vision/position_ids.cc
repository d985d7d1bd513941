// Bucketed position ids; see the header. float where the reference uses float32, double where Python or torch
// does.
#include "nn/vision/position_ids.h"

#include <algorithm>
#include <cmath>

namespace galago {
namespace {

// The upper ends of the buckets, 1/n, 2/n, ... as torch.arange makes them in float32: whole blocks of 16 in
// registers of 8, whose first element is rounded to float before the others are counted from it in double;
// the rest one by one in double. At some n (3, 6, 7, 14, 19, ...) the count rounds up and a last boundary 1.0
// appears.
std::vector<float> bucket_boundaries(int64_t table_side) {
  constexpr int64_t kBlock = 16;
  constexpr int64_t kRegister = 8;
  const double step = 1.0 / static_cast<double>(table_side);
  const auto count = static_cast<int64_t>(std::ceil((1.0 - step) / step));
  std::vector<float> boundaries(static_cast<size_t>(std::max<int64_t>(count, 0)));
  for (int64_t j = 0; j < count; ++j) {
    const bool in_block = j < count / kBlock * kBlock;
    const int64_t first = in_block ? j / kRegister * kRegister : j;
    const auto base = static_cast<float>(step + step * static_cast<double>(first));
    boundaries[static_cast<size_t>(j)] =
        static_cast<float>(static_cast<double>(base) + static_cast<double>(j - first) * step);
  }
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
