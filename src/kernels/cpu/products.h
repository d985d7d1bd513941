// The two ways to multiply rows by weights: panels of weights packed on the way (many rows, bound by
// arithmetic) and weights as they lie in the checkpoint (few rows, bound by reading them).
#pragma once

#include <span>

#include "kernels/kernels.h"
#include "kernels/pool.h"
#include "kernels/tuning.h"

namespace galago::kernels::cpu {

/// Products that are made panel by panel together: each multiplies by the one before it, and only the last
/// one is written, as floats to its y or, where `pairs` has memory, as bfloat16 there.
struct Chain {
  std::span<const Product> products;
  Matrix pairs;      ///< [n, out / 2], two numbers in the place of a float
  int64_t depth;     ///< as Ways::panel_depth
  bool amx = false;  ///< whether AMX multiplies

  /// Places of a column in a part of a panel, of `in` places in all: parts are alike.
  int64_t part_of(int64_t in) const {
    const int64_t parts = (in + depth - 1) / depth;
    return ((in + parts - 1) / parts + kWeightGroup - 1) / kWeightGroup * kWeightGroup;
  }
};

/// Packed columns side by side, `stride` floats from one panel to the next.
struct Panels {
  const float* first;
  int64_t count = 1;
  int64_t stride = 0;
};

/// linear_each for many rows. Error{resource} without memory for a panel.
void many_row_products(Pool& pool, const Ways& ways, ConstMatrix x, std::span<const Product> products);
/// feed_forward for many rows.
void many_row_feed_forward(Pool& pool, const Ways& ways, ConstMatrix x, std::span<const Product> in,
                           const Product& out);

/// linear_each for at most kFewRows rows. What a row gives does not depend on the other rows, bit for bit.
void few_row_products(Pool& pool, const Ways& ways, ConstMatrix x, std::span<const Product> products);
/// Outputs that few_row_products finishes together.
inline constexpr int64_t kOutputBlock = 16;

/// The instruction set that Highway chose, e.g. "AVX3".
const char* simd_name();

}  // namespace galago::kernels::cpu
