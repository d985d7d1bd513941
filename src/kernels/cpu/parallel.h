// How the fast kernels divide work: contiguous ranges of items, handed out to threads as they become free.
// Small work stays on the calling thread, where waking another would cost more than it saves. No result
// depends on the division.
#pragma once

#include <algorithm>
#include <cstdint>

#include "core/tensor.h"
#include "kernels/cpu/pool.h"
#include "kernels/kernels.h"

namespace galago::kernels::cpu {

/// Elementary operations (a load, a multiply-add) that are worth handing to another thread.
inline constexpr int64_t kOperationsPerPart = 32'768;
/// Parts for each thread, so that one which is held up leaves the rest of its share to the others.
inline constexpr int64_t kPartsPerThread = 4;

/// Into how many parts `items` items of `cost` operations each are divided.
inline int64_t parts_for(int64_t items, int64_t cost) {
  const int64_t team = threads();
  if (team == 1) return 1;
  const int64_t useful = items * std::max<int64_t>(cost, 1) / kOperationsPerPart;
  return std::clamp<int64_t>(std::min(useful, items), 1, team * kPartsPerThread);
}

/// body(part) for every part in [0, parts).
template <class Body>
void parallel_parts(int64_t parts, const Body& body) {
  run_parts(
      parts, threads(), [](const void* context, int64_t part) { (*static_cast<const Body*>(context))(part); },
      &body);
}

/// body(begin, end) over a division of [0, items).
template <class Body>
void parallel_for(int64_t items, int64_t cost, const Body& body) {
  if (items <= 0) return;
  const int64_t parts = parts_for(items, cost);
  parallel_parts(parts, [&](int64_t part) { body(items * part / parts, items * (part + 1) / parts); });
}

/// Scratch memory of the calling thread, one for each Owner: grows to the largest call and stays; not
/// initialised.
template <class Owner>
float* thread_scratch(int64_t floats) {
  thread_local Tensor memory;
  if (memory.size() < floats) memory = Tensor({floats});
  return memory.data();
}

}  // namespace galago::kernels::cpu
