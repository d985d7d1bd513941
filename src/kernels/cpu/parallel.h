// How the fast kernels divide work: a contiguous share of the items for each thread, which takes some of it
// at a time; who is done helps the others, so one that is held up holds up nobody. A thread has the same
// share of every piece of work, as far as it can: the rows that it wrote are in its own caches when the next
// step reads them (docs/decisions/0036-rows-stay-with-their-thread.md). Small work stays on the calling
// thread, where waking another would cost more than it saves. No result depends on the division.
#pragma once

#include <algorithm>
#include <atomic>
#include <cstdint>

#include "core/tensor.h"
#include "kernels/pool.h"

namespace galago::kernels::cpu {

/// Elementary operations (a load, a multiply-add) that are worth the agreement of threads on who does them.
inline constexpr int64_t kOperationsPerTake = 16'384;
/// Into how many tasks, for each thread, work is divided whose tasks are long.
inline constexpr int64_t kTasksPerThread = 4;

/// How many of the pool's threads `items` items of `cost` operations each are worth.
inline int64_t parts_for(const Pool& pool, int64_t items, int64_t cost) {
  const int64_t team = pool.threads();
  if (team == 1) return 1;
  const int64_t useful = items * std::max<int64_t>(cost, 1) / pool.operations_per_part();
  return std::clamp<int64_t>(std::min(useful, items), 1, team);
}

/// body(part) for every part in [0, parts).
template <class Body>
void parallel_parts(Pool& pool, int64_t parts, const Body& body) {
  pool.run(
      parts, [](const void* context, int64_t part) { (*static_cast<const Body*>(context))(part); }, &body);
}

/// Items that no thread has taken yet, [next, end): at first those of one thread.
struct alignas(64) Share {
  std::atomic<int64_t> next;
  int64_t end;

  /// Half of those left, but within [least, most]: body(begin, end). False when none is left.
  template <class Body>
  bool take(int64_t least, int64_t most, const Body& body) {
    int64_t begin = next.load(std::memory_order_relaxed);
    for (;;) {
      if (begin >= end) return false;
      const int64_t until = std::min(end, begin + std::clamp((end - begin) / 2, least, most));
      if (!next.compare_exchange_weak(begin, until, std::memory_order_relaxed)) continue;
      body(begin, until);
      return true;
    }
  }
};

/// body(begin, end) over a division of [0, items) among `team` threads, [least, most] items at a time. Each
/// thread goes through its own share in order, so that memory is read on where it was read last, and then
/// helps with what is left of the others'.
template <class Body>
void parallel_shares(Pool& pool, int64_t items, int64_t team, int64_t least, int64_t most, const Body& body) {
  constexpr int64_t kMostShares = 32;
  const int64_t count = std::min(team, kMostShares);
  Share shares[kMostShares];
  for (int64_t s = 0; s < count; ++s) {
    shares[s].next.store(items * s / count, std::memory_order_relaxed);
    shares[s].end = items * (s + 1) / count;
  }
  parallel_parts(pool, team, [&](int64_t) {
    const int64_t own = Pool::thread_index();
    for (int64_t s = own; s < own + count; ++s)
      while (shares[s % count].take(least, most, body)) {
      }
  });
}

/// body(begin, end) over a division of [0, items), each of `cost` operations.
template <class Body>
void parallel_for(Pool& pool, int64_t items, int64_t cost, const Body& body) {
  if (items <= 0) return;
  const int64_t team = parts_for(pool, items, cost);
  if (team == 1) return body(0, items);
  const int64_t least = std::max<int64_t>(1, kOperationsPerTake / std::max<int64_t>(cost, 1));
  parallel_shares(pool, items, team, std::min(least, items), items, body);
}

/// body(task) for each of some long tasks, which threads take one by one.
template <class Body>
void parallel_tasks(Pool& pool, int64_t tasks, const Body& body) {
  parallel_shares(pool, tasks, std::min<int64_t>(tasks, pool.threads()), 1, 1,
                  [&](int64_t task, int64_t) { body(task); });
}

/// Places of 4 bytes from one row of an operand to the next: whole cache lines, an odd number of them, so
/// that rows side by side do not all lie in a few places of a cache.
constexpr int64_t row_stride(int64_t places) {
  constexpr int64_t kLine = 16;
  return ((places + kLine - 1) / kLine | 1) * kLine;
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
