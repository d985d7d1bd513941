// How the fast kernels divide work: contiguous ranges of items, handed out to threads as they become free; a
// large one for each thread, then small ones, so that one which is held up leaves some of its share to the
// others. More ranges cost time: threads have to agree on each, and reading memory begins anew. Small work
// stays on the calling thread, where waking another would cost more than it saves. No result depends on the
// division.
#pragma once

#include <algorithm>
#include <cstdint>

#include "core/tensor.h"
#include "kernels/cpu/pool.h"
#include "kernels/kernels.h"

namespace galago::kernels::cpu {

/// Elementary operations (a load, a multiply-add) that are worth handing to another thread.
inline constexpr int64_t kOperationsPerPart = 32'768;
/// Into how many tasks, for each thread, work is divided whose tasks are long.
inline constexpr int64_t kTasksPerThread = 4;

/// Into how many parts `items` items of `cost` operations each are divided: two for each thread at most.
inline int64_t parts_for(int64_t items, int64_t cost) {
  const int64_t team = threads();
  if (team == 1) return 1;
  const int64_t useful = items * std::max<int64_t>(cost, 1) / kOperationsPerPart;
  return std::clamp<int64_t>(std::min(useful, items), 1, 2 * team);
}

/// body(part) for every part in [0, parts).
template <class Body>
void parallel_parts(int64_t parts, const Body& body) {
  run_parts(
      parts, threads(), [](const void* context, int64_t part) { (*static_cast<const Body*>(context))(part); },
      &body);
}

/// body(begin, end) over a division of [0, items): with two parts for each thread, the first ones take three
/// quarters.
template <class Body>
void parallel_for(int64_t items, int64_t cost, const Body& body) {
  if (items <= 0) return;
  const int64_t parts = parts_for(items, cost);
  const int64_t half = parts == 2 * threads() ? parts / 2 : parts;
  const int64_t large = half < parts ? items * 3 / 4 : items;
  const auto edge = [&](int64_t part) {
    return part <= half ? large * part / half : large + (items - large) * (part - half) / half;
  };
  parallel_parts(parts, [&](int64_t part) { body(edge(part), edge(part + 1)); });
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
