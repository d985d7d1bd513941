// What this machine's processor can do at most, measured: the yardstick of `galago bench`.
// In: a number of threads, which decides how many cores take part. Out: for each instruction that products
// use a rate that no kernel of as many threads can pass with it.
#pragma once

#include <functional>

#include "core/weight.h"

namespace galago::kernels {

/// Best rates seen; 1 GFLOP = 1e9 additions or multiplications, a fused multiply-add counts as two; 1 GB =
/// 1e9 bytes.
struct MachinePeak {
  double gflops = 0;       ///< float32 fused multiply-adds between registers, in the widest vectors
  double bf16_gflops = 0;  ///< with products of bfloat16 pairs (AMX_BF16, else AVX512_BF16); 0: it has none
  double int8_gops = 0;    ///< with the products of bytes that int8 uses, in whole numbers; 0: it has none
  double gb_per_s = 0;     ///< reading memory far larger than the caches, all threads together

  /// The rate that limits products of many rows in that arithmetic: of the instruction that they use, which
  /// is float32's where the processor has no other.
  double of(Arithmetic arithmetic) const;
};

/// The larger of each rate.
MachinePeak better(const MachinePeak& a, const MachinePeak& b);

/// Rounds of all loops, each of some milliseconds a loop; the best of each counts. `go_on` is asked before
/// each round and may end the measurement early, after at least one. Takes 256 MiB for the time it runs.
MachinePeak measure_peak(int threads, int rounds, const std::function<bool()>& go_on = {});

}  // namespace galago::kernels
