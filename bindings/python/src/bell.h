// Tells readers of answers that there is something new, through a descriptor that poll(2) and an event loop
// can wait for.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <mutex>
#include <set>
#include <vector>

namespace galago::python {

/// Safe from any thread.
class Bell : public std::enable_shared_from_this<Bell> {
 public:
  /// Error{resource} when there is no descriptor to be had.
  Bell();
  ~Bell();
  Bell(const Bell&) = delete;
  Bell& operator=(const Bell&) = delete;

  /// There is something new of the request of this number. Waits for nothing.
  void ring(int64_t number);
  /// The numbers that were rung since the last call.
  std::vector<int64_t> take();
  /// Waits until there may be some; at most so long.
  void wait(std::chrono::milliseconds most) const;
  /// Readable when there are some.
  int descriptor() const { return descriptor_; }

 private:
  int descriptor_;
  std::mutex mutex_;
  std::set<int64_t> numbers_;
};

}  // namespace galago::python
