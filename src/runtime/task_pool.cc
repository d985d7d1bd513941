// A queue and threads that wait at it.
#include "runtime/task_pool.h"

#include <system_error>
#include <utility>

#include "galago/error.h"
#include "io/quiet_thread.h"

namespace galago {

TaskPool::~TaskPool() {
  {
    const std::lock_guard lock(mutex_);
    closing_ = true;
    tasks_.clear();
    changed_.notify_all();
  }
  for (std::thread& thread : threads_) thread.join();
}

void TaskPool::add(std::function<void()> task) {
  const std::lock_guard lock(mutex_);
  if (tasks_.size() >= idle_ && threads_.size() < most_) {
    try {
      threads_.push_back(quiet_thread([this] { work(); }));
    } catch (const std::system_error&) {
      if (threads_.empty())
        throw Error(ErrorCode::resource, {.where = "threads", .got = "no more to be had"});
    }
  }
  tasks_.push_back(std::move(task));
  changed_.notify_one();
}

void TaskPool::work() {
  std::unique_lock lock(mutex_);
  for (;;) {
    ++idle_;
    changed_.wait(lock, [this] { return closing_ || !tasks_.empty(); });
    --idle_;
    if (closing_) return;
    std::function<void()> task = std::move(tasks_.front());
    tasks_.pop_front();
    lock.unlock();
    task();
    task = nullptr;  // what it holds may be large
    lock.lock();
  }
}

}  // namespace galago
