// Products of many rows in whole numbers of 8 bits: rows of x and rows of weights each with a factor of their
// own, from -127 to 127, sums exact. docs/numerics.md has the formula, reference/linear.cc the definition.
#pragma once

#include <cstdint>

#include "core/tensor.h"
#include "kernels/cpu/products.h"
#include "kernels/int8_scale.h"
#include "kernels/pool.h"

namespace galago::kernels::cpu {

/// How whole numbers lie in places of 4 bytes and which instruction multiplies them. All give the same bits.
enum class Int8Way {
  shorts,      ///< two of 16 bits
  bytes,       ///< four of 8 bits (AVX512_VNNI, AVX_VNNI; on Arm the dot product)
  evex_bytes,  ///< the same with AVX512_VNNI on vectors of 32 bytes, where AVX_VNNI is wanted and not there
  matrices,    ///< eight of each of two rows, by eight of each of two columns (on Arm: i8mm)
  amx,         ///< as bytes, multiplied by AMX_INT8
};
/// Whether the processor multiplies in that way, in the instruction set that Highway has chosen.
bool has_int8_way(Int8Way way);
/// The fastest one that it has, with AMX or without. Another one is for tests.
Int8Way int8_way(bool amx = true);

/// Operations of one step of int8_steps in that way, and such steps between registers: the yardstick of all
/// that is below. 0 and nothing for shorts, whose yardstick is float32's.
int64_t int8_step_operations(Int8Way way);
float int8_steps(Int8Way way, int64_t steps, int32_t bytes);

/// Rows as whole numbers, in scratch of the calling thread that the next call takes over.
struct Int8Rows {
  ConstMatrix places;  ///< of 4 bytes, as many as the way takes at once; zeros fill them
  const float* factors =
      nullptr;  ///< [rows]: a number is its integer times the row's factor, which may be NaN
  const int32_t* starts = nullptr;  ///< [rows], what is added to weights times the row, taken away
  Int8Way way = Int8Way::shorts;
};
Int8Rows int8_rows(Pool& pool, ConstMatrix x, Int8Way way);

/// Whether a product of that many rows is one of whole numbers.
bool in_int8(const Product& product, int64_t rows);

/// Columns of a panel.
int64_t int8_panel_columns();
/// Rows [begin, end) of the columns of one panel of the chain's products.
void int8_task(const Int8Rows& x, const Chain& chain, int64_t panel, int64_t begin, int64_t end);

}  // namespace galago::kernels::cpu
