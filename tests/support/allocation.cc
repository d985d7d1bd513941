// operator new and delete are replaced in every test binary that uses a watch.
// In: sizes. Out: memory of malloc, counted.
#include "support/allocation.h"

#include <malloc.h>

#include <atomic>
#include <cstdlib>
#include <new>

namespace {

std::atomic<int64_t> asked{0};
std::atomic<int64_t> held{0};
std::atomic<int64_t> most_held{0};
thread_local int64_t good_ones = -1;  // until one fails; below 0: none does

void* counted(std::size_t size) {
  if (good_ones >= 0 && good_ones-- == 0) throw std::bad_alloc();
  asked += static_cast<int64_t>(size);
  void* memory = std::malloc(size > 0 ? size : 1);
  if (!memory) throw std::bad_alloc();
  const int64_t now = held += static_cast<int64_t>(::malloc_usable_size(memory));
  int64_t most = most_held;
  while (now > most && !most_held.compare_exchange_weak(most, now)) {
  }
  return memory;
}

void release(void* memory) {
  held -= static_cast<int64_t>(::malloc_usable_size(memory));  // 0 for a null pointer
  std::free(memory);
}

}  // namespace

void* operator new(std::size_t size) { return counted(size); }
void* operator new[](std::size_t size) { return counted(size); }
// The forms that give null instead of throwing, which std::stable_sort uses, must come from the same place.
void* operator new(std::size_t size, const std::nothrow_t&) noexcept {
  try {
    return counted(size);
  } catch (const std::bad_alloc&) {
    return nullptr;
  }
}
void* operator new[](std::size_t size, const std::nothrow_t& tag) noexcept { return operator new(size, tag); }
void operator delete(void* memory) noexcept { release(memory); }
void operator delete[](void* memory) noexcept { release(memory); }
void operator delete(void* memory, std::size_t) noexcept { release(memory); }
void operator delete[](void* memory, std::size_t) noexcept { release(memory); }

namespace galago::test {

AllocationWatch::AllocationWatch() : held_(held) {
  asked = 0;
  most_held = held_;
}
AllocationFault::AllocationFault(int64_t good) { good_ones = good; }
AllocationFault::~AllocationFault() { good_ones = -1; }
bool AllocationFault::happened() const { return good_ones < 0; }

int64_t AllocationWatch::total() const { return asked; }
int64_t AllocationWatch::peak() const { return most_held - held_; }

}  // namespace galago::test
