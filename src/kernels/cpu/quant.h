// Reading weights of any format: as floats, and as the operand of a product of few rows.
#pragma once

#include <cstdint>

#include "kernels/kernels.h"
#include "kernels/tuning.h"

namespace galago::kernels::cpu {

/// Weights [begin, begin + count) of one row as floats, bit for bit what to_floats gives. Fastest where begin
/// and count are multiples of kWeightGroup; needs no alignment.
void dequantise(const WeightView& view, int64_t row, int64_t begin, int64_t count, float* out);

/// Rows [first, first + count) of a matrix, at most kPanelRows, as a panel of q8 or q4: the numbers of
/// reference::quantise_row, bit for bit; a panel's other rows are zeros. `first` is a multiple of kPanelRows.
void quantise_panel(const WeightView& from, WeightFormat format, int64_t first, int64_t count,
                    std::byte* panel);

/// Numbers of a group of x, four at a time, in 32 bits twice.
inline constexpr int64_t kGroupFours = kWeightGroup / 2;

/// Rows of x as 16-bit integers, each group of 32 with a factor of its own (the group's largest number over
/// 32639), in the order in which products with quantised weights read them.
struct IntegerRows {
  int32_t* fours = nullptr;   ///< [rows, groups, kGroupFours]
  float* factors = nullptr;   ///< [rows, groups]; a group's number is its integer times its factor
  float* sums = nullptr;      ///< [rows, groups], of each group's numbers
  int32_t* starts = nullptr;  ///< [rows, groups], -128 times the sum of a group's integers
  int64_t rows = 0;
  int64_t groups = 0;
  bool in_bytes = false;  ///< in the order of products of bytes

  int32_t* fours_of(int64_t row, int64_t group) const { return fours + (row * groups + group) * kGroupFours; }
};

/// Whether the processor has products of bytes that these weights use, which are faster (x86: AVX512_VNNI).
bool has_byte_products();

/// x made ready, in scratch of the calling thread that the next call takes over. A row that is not finite
/// gives NaN.
IntegerRows integer_rows(ConstMatrix x, bool in_bytes = has_byte_products());

/// Columns [begin, end) of product.y for quantised weights in panels; begin is a multiple of kPanelRows. The
/// integers are multiplied exactly, group by group. What a row gives does not depend on the other rows, bit
/// for bit.
void quantised_few_rows(const IntegerRows& x, const Product& product, int64_t begin, int64_t end,
                        const WeightPrefetch& prefetch = {});

}  // namespace galago::kernels::cpu
