// A few threads for work beside the loop's own: cutting and scaling pictures. In: tasks. Out: each is run
// once, begun in the order in which they came.
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
  /// So many tasks at work at a time; threads are started when there is something for them to do.
  explicit TaskPool(size_t tasks) : most_(tasks) {}
  /// As close().
  ~TaskPool();
  TaskPool(const TaskPool&) = delete;
  TaskPool& operator=(const TaskPool&) = delete;

  /// A task that does not throw. Error{resource} when there is no thread at all to be had.
  void add(std::function<void()> task);
  /// Waits for the tasks that were begun; the others are dropped, as those that come later. Not from a task.
  void close();
  /// Of a task: calls `wait`, which only waits for something, and lets another task work meanwhile. Passes on
  /// what it throws.
  void pause(const std::function<void()>& wait);

 private:
  void work();
  void start_thread();
  bool wants_thread() const;
  bool may_work() const { return working_ < most_; }

  const size_t most_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<std::function<void()>> tasks_;
  size_t idle_ = 0;     // threads that wait for a task
  size_t working_ = 0;  // tasks that were begun and do not pause
  size_t paused_ = 0;   // tasks that do
  bool closing_ = false;
  std::vector<std::thread> threads_;
};

}  // namespace galago
