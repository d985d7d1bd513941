// Products of many rows by AMX (x86): matrices of 16 rows of 64 bytes, which the instruction set calls tiles,
// multiplied by one instruction. Operands lie as those of bf16.h and int8.h do, so that only the blocks are
// others.
#pragma once

#include <cstdint>

#include "core/tensor.h"
#include "kernels/cpu/prefetch.h"
#include "kernels/cpu/products.h"

namespace galago::kernels::cpu {

/// Whether the functions below may be called. They are beside those of AVX512_BF16 and AVX512_VNNI, which
/// the processor has, too.
bool has_amx();

/// What lies in a place of 4 bytes.
enum class AmxNumbers {
  pairs,  ///< two bfloat16; sums are floats
  bytes,  ///< four whole numbers, those of rows with a sign, those of panels without; sums are int32, which
          ///< wrap
};

/// Rows of a block: two tiles.
inline constexpr int kAmxRows = 32;

/// sums [rows, panels * kVectors * 16] (+)= a [rows, places] times the panels [places][kVectors * 16]. What a
/// row gives does not depend on the other rows, nor on where the places are divided into depths, at multiples
/// of 16. Instances: 3 vectors with Prefetch, 2 with NoPrefetch, both with each kind of numbers.
template <AmxNumbers kNumbers, int kVectors, class Fetch>
void amx_rows(const ConstMatrix& a, const Panels& panels, bool accumulate, const Matrix& sums,
              const Fetch& prefetch);

/// `steps` times four products between tiles: the yardstick of all that is above.
void amx_steps(AmxNumbers numbers, int64_t steps);
/// Multiplications and additions of one step.
int64_t amx_step_operations(AmxNumbers numbers);

}  // namespace galago::kernels::cpu
