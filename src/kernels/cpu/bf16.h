// Products of bfloat16 pairs on processors that have an instruction for them (x86: AVX512_BF16).
#pragma once

#include <cstdint>

#include "core/tensor.h"
#include "kernels/cpu/prefetch.h"

namespace galago::kernels::cpu {

/// Whether bf16_block may be called.
bool has_bf16_products();

/// `steps` times twelve independent additions of products of pairs, between registers: the yardstick of all
/// that is below. Only where there are such products.
float bf16_steps(int64_t steps, float factor);
/// Multiplications and additions of one step.
inline constexpr int64_t kBf16StepOperations = int64_t{12} * 16 * 2 * 2;

/// The nearest bfloat16 of each float, ties to even. Only where there are such products.
void round_to_bf16(const float* from, int64_t count, uint16_t* to);

/// to[i] = exp(x[i] - largest) as bfloat16 for i < count, a multiple of 16; no x is above `largest`,
/// -infinity gives 0. Returns the sum before rounding. Relative error below 1e-5. Only where there are such
/// products.
float exp_to_bf16(const float* x, float largest, int64_t count, uint16_t* to);

/// x sigmoid(z) with z = x (linear + cubic x^2): silu, and two forms of gelu.
struct SigmoidUnit {
  float linear = 1;
  float cubic = 0;
};

/// to[i] = unit(x[i] + bias[i]) * factor[i] as bfloat16 for i < count; bias and factor may be null. Relative
/// error below 3e-5 before rounding. Only where there are such products.
void sigmoid_to_bf16(SigmoidUnit unit, const float* x, const float* bias, const float* factor, int64_t count,
                     uint16_t* to);

/// Vectors of 16 columns of the panels of products of weights, and of those of attention.
inline constexpr int kBf16Vectors = 3;
inline constexpr int kBf16HeadVectors = 2;

/// sums [rows, kVectors vectors] (+)= a [rows, pairs] times panel [pairs][kVectors vectors], each place of a
/// and of the panel a pair of bfloat16 whose two products are added.
/// Instances: kBf16Vectors with Prefetch, kBf16HeadVectors with NoPrefetch.
template <int kVectors, class Fetch>
void bf16_block(const ConstMatrix& a, const float* panel, bool accumulate, const Matrix& sums,
                const Fetch& prefetch);

}  // namespace galago::kernels::cpu
