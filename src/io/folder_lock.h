// A folder that one process at a time works in. In: a folder. Out: its turn, or none. Reference: flock(2).
#pragma once

#include <chrono>
#include <filesystem>

namespace galago {

/// The turn ends with the object, and with its process in whatever way that ends. Leaves nothing in the
/// folder.
class FolderLock {
 public:
  /// Waits its turn, `patience` at most: a process that was stopped in its own does not hold up the others
  /// for good. Without a turn where that is over, or where the folder or its locks are not to be had.
  FolderLock(const std::filesystem::path& folder, std::chrono::milliseconds patience) noexcept;
  ~FolderLock();
  FolderLock(const FolderLock&) = delete;
  FolderLock& operator=(const FolderLock&) = delete;

 private:
  int descriptor_ = -1;
};

}  // namespace galago
