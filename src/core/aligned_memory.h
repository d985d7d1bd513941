// Memory for large arrays. The system's own calls are here and in io.
#pragma once

#include <cstdint>

namespace galago {

/// Not initialised, 64-byte aligned, of at least `bytes`; null without. Large blocks ask for large pages: a
/// processor remembers the places of some thousand pages only, and reading on beyond them costs a fifth of
/// the bandwidth.
void* allocate_aligned(int64_t bytes) noexcept;
/// Gives it back; null is none.
void free_aligned(void* memory) noexcept;

}  // namespace galago
