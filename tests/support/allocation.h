// How much memory operator new gives, to show that hostile input does not make it grow; and none at all.
// In: whatever runs while a watch lives. Out: bytes. What C libraries take with malloc is not seen.
#pragma once

#include <cstdint>

namespace galago::test {

/// Counts from its construction, in all threads; one at a time.
class AllocationWatch {
 public:
  AllocationWatch();
  /// All that was asked for.
  int64_t total() const;
  /// The most that was held at once, beyond what was held at the start.
  int64_t peak() const;

 private:
  int64_t held_;
};

/// While it lives, one allocation of this thread throws std::bad_alloc: the one after `good` others.
class AllocationFault {
 public:
  explicit AllocationFault(int64_t good);
  ~AllocationFault();
  AllocationFault(const AllocationFault&) = delete;
  AllocationFault& operator=(const AllocationFault&) = delete;
  /// Whether it was thrown.
  bool happened() const;
};

}  // namespace galago::test
