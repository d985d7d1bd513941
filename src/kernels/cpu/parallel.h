// How the fast kernels divide work: contiguous ranges of items, one per thread, decided by the sizes alone.
// Small work stays on the calling thread, where starting a team would cost more than it saves.
#pragma once

#include <omp.h>

#include <algorithm>
#include <cstdint>

#include "kernels/kernels.h"

namespace galago::kernels::cpu {

/// Elementary operations (a load, a multiply-add) below which a second thread does not pay.
inline constexpr int64_t kOperationsPerThread = 262'144;

/// Threads worth starting for `items` items of `cost` operations each.
inline int threads_for(int64_t items, int64_t cost) {
  const int64_t useful = items * std::max<int64_t>(cost, 1) / kOperationsPerThread;
  return static_cast<int>(std::clamp<int64_t>(std::min(useful, items), 1, threads()));
}

/// body(begin, end) over a division of [0, items). The body must not throw.
template <class Body>
void parallel_for(int64_t items, int64_t cost, const Body& body) {
  const int team = threads_for(items, cost);
  if (team == 1) {
    if (items > 0) body(int64_t{0}, items);
    return;
  }
#pragma omp parallel for num_threads(team) schedule(static)
  for (int part = 0; part < team; ++part) body(items * part / team, items * (part + 1) / team);
}

}  // namespace galago::kernels::cpu
