// Reading weights of any format: as floats, and as the operand of a product of few rows.
#pragma once

#include <cstdint>

#include "kernels/kernels.h"

namespace galago::kernels::cpu {

/// Weights [begin, begin + count) of one row as floats, bit for bit what to_floats gives. Fastest where begin
/// and count are multiples of kWeightGroup; needs no alignment.
void dequantise(const WeightView& view, int64_t row, int64_t begin, int64_t count, float* out);

}  // namespace galago::kernels::cpu
