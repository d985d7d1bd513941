// What this machine's processor can do at most, measured: the yardstick of `galago bench`.
// In: a number of threads, which decides how many cores take part. Out: rates that no float kernel of as many
// threads can pass.
#pragma once

#include <functional>

namespace galago::kernels {

/// Best rates seen; 1 GFLOP = 1e9 additions or multiplications, a fused multiply-add counts as two; 1 GB =
/// 1e9 bytes.
struct MachinePeak {
  double gflops = 0;    ///< float32 fused multiply-adds between registers, in the widest vectors
  double gb_per_s = 0;  ///< reading memory far larger than the caches, all threads together
};

/// Rounds of both loops, each of some milliseconds a loop; the best of each counts. `go_on` is asked before
/// each round and may end the measurement early, after at least one. Takes 256 MiB for the time it runs.
MachinePeak measure_peak(int threads, int rounds, const std::function<bool()>& go_on = {});

}  // namespace galago::kernels
