// Products of bfloat16 pairs on processors that have an instruction for them (x86: AVX512_BF16).
#pragma once

#include <cstdint>

namespace galago::kernels::cpu {

/// Whether bf16_block may be called.
bool has_bf16_products();

/// The nearest bfloat16 of each float, ties to even. Only where there are such products.
void round_to_bf16(const float* from, int64_t count, uint16_t* to);

/// to[i] = exp(x[i] - largest) as bfloat16 for i < count, a multiple of 16; no x is above `largest`,
/// -infinity gives 0. Returns the sum before rounding. Relative error below 1e-5. Only where there are such
/// products.
float exp_to_bf16(const float* x, float largest, int64_t count, uint16_t* to);

/// Vectors of 16 columns of the panels of products of weights, and of those of attention.
inline constexpr int kBf16Vectors = 3;
inline constexpr int kBf16HeadVectors = 2;

/// sums [rows, kVectors vectors] (+)= a [rows, pairs] times panel [pairs][kVectors vectors], each element of
/// a and of the panel a pair of bfloat16 whose two products are added. Rows of a and of sums lie a_stride
/// pairs and sums_stride floats apart. kVectors is one of the two above.
template <int kVectors>
void bf16_block(const uint32_t* a, int64_t a_stride, int64_t rows, int64_t pairs, const uint32_t* panel,
                bool accumulate, float* sums, int64_t sums_stride);

}  // namespace galago::kernels::cpu
