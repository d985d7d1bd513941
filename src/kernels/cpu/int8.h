// Products of many rows in whole numbers of 8 bits: rows of x and rows of weights each with a factor of their
// own, from -127 to 127, sums exact. docs/numerics.md has the formula, reference/linear.cc the definition.
#pragma once

#include <cstdint>

#include "core/tensor.h"
#include "kernels/cpu/products.h"
#include "kernels/int8_scale.h"
#include "kernels/pool.h"

namespace galago::kernels::cpu {

/// How whole numbers lie in places of 4 bytes: two of 16 bits, or four of 8 where the processor multiplies
/// these (x86: AVX512_VNNI).
enum class Int8Way { shorts, bytes };
/// The faster one that this processor has. Another one is for tests.
Int8Way int8_way();

/// Rows as whole numbers, in scratch of the calling thread that the next call takes over.
struct Int8Rows {
  ConstMatrix places;  ///< of 4 bytes; zeros fill the last one
  const float* factors =
      nullptr;  ///< [rows]: a number is its integer times the row's factor, which may be NaN
  const int32_t* starts = nullptr;  ///< [rows], -128 times the sum of a row's integers
  Int8Way way = Int8Way::shorts;
};
Int8Rows int8_rows(Pool& pool, ConstMatrix x, Int8Way way = int8_way());

/// Whether a product of that many rows is one of whole numbers.
bool in_int8(const Product& product, int64_t rows);

/// Columns of a panel.
int64_t int8_panel_columns();
/// Rows [begin, end) of the columns of one panel of the chain's products.
void int8_task(const Int8Rows& x, const Chain& chain, int64_t panel, int64_t begin, int64_t end);

}  // namespace galago::kernels::cpu
