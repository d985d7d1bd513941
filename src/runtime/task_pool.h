// A few threads for work beside the loop's own: cutting and scaling pictures. In: tasks. Out: each is run
// once, in the order in which they came.
#pragma once

#include <condition_variable>
#include <deque>
#include <functional>
#include <mutex>
#include <thread>
#include <vector>

namespace galago {

/// Safe from any thread.
class TaskPool {
 public:
  /// At most so many threads, started when there is something for them to do.
  explicit TaskPool(size_t threads) : most_(threads) {}
  /// Waits for the tasks that were begun; the others are dropped.
  ~TaskPool();
  TaskPool(const TaskPool&) = delete;
  TaskPool& operator=(const TaskPool&) = delete;

  /// A task that does not throw. Error{resource} when there is no thread at all to be had.
  void add(std::function<void()> task);

 private:
  void work();

  const size_t most_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<std::function<void()>> tasks_;
  size_t idle_ = 0;  // threads that wait
  bool closing_ = false;
  std::vector<std::thread> threads_;
};

}  // namespace galago
