// Prefetch: memory that is brought near while something else is computed.
#pragma once

#include <cstddef>
#include <cstdint>
#include <type_traits>

#include "kernels/tuning.h"

namespace galago::kernels::cpu {

/// Asks for the cache line of weights `bytes` behind one that is read.
template <int kLocality>
struct Ask {
  static constexpr bool kAsks = true;
  int64_t bytes = 0;

  void at(const void* line) const { __builtin_prefetch(line, 0, kLocality); }
  void ahead_of(const std::byte* line) const { at(line + bytes); }
};
/// Asks for nothing: of weights that were read a moment ago.
struct AskNot {
  static constexpr bool kAsks = false;
  void ahead_of(const std::byte*) const {}
};

/// body(ask) with the hint as a type. Without one each line is asked for as it is read, which costs next to
/// nothing and saves a fourth copy of every kernel.
template <class Body>
inline void with_ask(const WeightPrefetch& prefetch, const Body& body) {
  switch (prefetch.hint) {
    case PrefetchHint::nta:
      return body(Ask<0>{prefetch.bytes});
    case PrefetchHint::t0:
      return body(Ask<3>{prefetch.bytes});
    case PrefetchHint::t1:
      return body(Ask<2>{prefetch.bytes});
    case PrefetchHint::none:
      return body(Ask<3>{0});
  }
}

/// What later blocks of a product will touch. A block prefetches it little by little in the course of its
/// work: all at once it would take the few places in which a processor waits for memory from the block's own
/// operands.
struct Prefetch {
  const float* next = nullptr;         ///< rows of the next block's first operand; as far apart as this one's
  const void* data = nullptr;          ///< rows of another matrix
  int64_t stride = 0;                  ///< bytes from one of these rows to the next
  int64_t bytes = 0;                   ///< of such a row
  const std::byte* weights = nullptr;  ///< lines that are packed later, for the second cache
  int64_t weight_lines = 0;

  // Always inline: g++ 12 takes a function that only prefetches for one without effects and drops its calls.

  /// Step `step` of kSteps of a block: the cache lines of a row of `data`, and some of `weights`.
  template <int kSteps>
  [[gnu::always_inline]] void step(int64_t step) const {
    for (int64_t l = weight_lines * step / kSteps; l < weight_lines * (step + 1) / kSteps; ++l)
      __builtin_prefetch(weights + 64 * l, 0, 2);
    const char* const begin = static_cast<const char*>(data) + step * stride;
    const auto before = static_cast<int64_t>(reinterpret_cast<uintptr_t>(begin) % 64);  // in its cache line
    for (int64_t b = -before; b < bytes; b += 64) __builtin_prefetch(begin + b);
  }

  /// Column `col` of a block of `rows` rows is in work: of 16 columns, which are a cache line, each of the
  /// first prefetches that line of one of the next rows.
  [[gnu::always_inline]] void next_rows(int64_t rows, int64_t row_stride, int64_t col) const {
    const int64_t row = col % 16;
    if (next && row < rows) __builtin_prefetch(next + row * row_stride + col);
  }
};

/// For blocks whose operands are near.
struct NoPrefetch {
  template <int kSteps>
  void step(int64_t) const {}
  void next_rows(int64_t, int64_t, int64_t) const {}
};

/// In how many parts a block of `kRows` rows goes through its columns: one for each row that it prefetches.
template <class Fetch, int kRows>
inline constexpr int kParts = std::is_empty_v<Fetch> ? 1 : kRows;

}  // namespace galago::kernels::cpu
