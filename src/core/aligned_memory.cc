// See the header. POSIX: posix_memalign, madvise.
#include "core/aligned_memory.h"

#include <sys/mman.h>

#include <cstdlib>

#include "core/checked.h"

namespace galago {

void* allocate_aligned(int64_t bytes) noexcept {
  constexpr int64_t kAlign = 64, kPage = int64_t{2} << 20;
  const int64_t align = bytes < 2 * kPage ? kAlign : kPage;
  const auto padded = checked_add(bytes, kAlign - 1);
  if (!padded) return nullptr;
  void* memory = nullptr;
  if (posix_memalign(&memory, static_cast<size_t>(align), static_cast<size_t>(*padded)) != 0) return nullptr;
#ifdef MADV_HUGEPAGE
  if (align == kPage) madvise(memory, static_cast<size_t>(bytes / kPage * kPage), MADV_HUGEPAGE);  // a wish
#endif
  return memory;
}

void free_aligned(void* memory) noexcept { std::free(memory); }

}  // namespace galago
