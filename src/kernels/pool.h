// The threads of one device. In: a number of parts and a function. Out: the function called once for each
// part, on the caller's thread and on the pool's.
#pragma once

#include <cstdint>
#include <memory>

namespace galago::kernels {

/// Threads start with the first call that wants them and end with the pool. Calls are legal from any thread
/// at any time but during its end. After fork() the child has none of them: there every call does its parts
/// itself, and the pool's end waits for nobody.
class Pool {
 public:
  /// At most `threads` threads work at once, the caller's among them.
  explicit Pool(int threads);
  /// Waits for its threads.
  ~Pool();
  Pool(const Pool&) = delete;
  Pool& operator=(const Pool&) = delete;

  int threads() const { return threads_; }
  /// Multiply-adds that are worth handing to another thread: who divides work goes by it. Set while no call
  /// runs.
  void divide_from(int64_t operations) { operations_per_part_ = operations; }
  int64_t operations_per_part() const { return operations_per_part_; }
  /// Calls body(context, part) for every part in [0, parts); comes back when all are done. Parts are handed
  /// out one by one, so a thread that the system holds up delays its own part only. What a body throws
  /// reaches the caller (the first one of several). While another call runs, and within a body, the caller
  /// does all parts itself.
  void run(int64_t parts, void (*body)(const void* context, int64_t part), const void* context);

  /// Which of a pool's threads the calling one is: 0 but for those that the pool started. Of those that do
  /// the parts of a call (one that is not made within a body) each has an index of its own, below the number
  /// of parts; so work can go to who did the like of it before and has the memory near. Nothing promises that
  /// a thread of some index comes at all.
  static int thread_index();

 private:
  class Team;
  int threads_;
  int64_t operations_per_part_ = 32'768;
  std::unique_ptr<Team> team_;
};

/// Processors that this process may use.
int processors();

}  // namespace galago::kernels
