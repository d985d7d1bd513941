// Memory that is asked for while something else is computed.
#pragma once

#include <cstdint>

namespace galago::kernels::cpu {

/// Rows that a later block of a product will touch. A block asks for one after another in the course of its
/// work: asked for at once, they would take the few places in which a processor waits for memory from the
/// block's own operands.
struct Ahead {
  const void* data = nullptr;
  int64_t stride = 0;  ///< bytes from one row to the next
  int64_t bytes = 0;   ///< of a row

  /// Has the cache lines of a row brought near.
  void ask(int64_t row) const {
    const char* const begin = static_cast<const char*>(data) + row * stride;
    const auto before = static_cast<int64_t>(reinterpret_cast<uintptr_t>(begin) % 64);  // in its cache line
    for (int64_t b = -before; b < bytes; b += 64) __builtin_prefetch(begin + b);
  }
};

}  // namespace galago::kernels::cpu
