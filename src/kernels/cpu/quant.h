// Reading weights of any format: as floats, and as the operand of a product of few rows.
#pragma once

#include <cstdint>

#include "kernels/kernels.h"

namespace galago::kernels::cpu {

/// Weights [begin, begin + count) of one row as floats, bit for bit what to_floats gives. Fastest where begin
/// and count are multiples of kWeightGroup; needs no alignment.
void dequantise(const WeightView& view, int64_t row, int64_t begin, int64_t count, float* out);

/// Rows of x as 16-bit integers, each group of 32 with a factor of its own (the group's largest number over
/// 32639), in the order in which products with one format of weights read them. Padded with zeros.
struct IntegerRows {
  const int16_t* values = nullptr;
  const float* factors = nullptr;  ///< a group's number is its integer times its factor
  const float* sums = nullptr;     ///< of each group's numbers
  int64_t rows = 0;
  int64_t cols = 0;       ///< of values, from one row to the next
  int64_t groups = 0;     ///< of factors and sums, from one row to the next
  bool in_bytes = false;  ///< values of q4 in the order of products of bytes
};

/// Whether the processor has products of bytes, which are faster for q4 (x86: AVX512_VNNI).
bool has_byte_products();

/// x made ready for weights of `format`, in scratch of the calling thread that the next call for the same
/// format takes over. A row that is not finite gives NaN.
IntegerRows integer_rows(ConstMatrix x, WeightFormat format, bool in_bytes = has_byte_products());

/// Columns [begin, end) of product.y for quantised weights: the integers are multiplied exactly, group by
/// group. What a row gives does not depend on the other rows, bit for bit.
void quantised_few_rows(const IntegerRows& x, const Product& product, int64_t begin, int64_t end);

}  // namespace galago::kernels::cpu
