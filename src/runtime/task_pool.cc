// A queue and threads that wait at it.
#include "runtime/task_pool.h"

#include <exception>
#include <new>
#include <system_error>
#include <utility>

#include "galago/error.h"
#include "io/quiet_thread.h"

namespace galago {

TaskPool::~TaskPool() { close(); }

void TaskPool::close() {
  std::deque<std::function<void()>> dropped;  // without the lock: what they hold may come back here
  std::vector<std::thread> threads;
  {
    const std::lock_guard lock(mutex_);
    closing_ = true;
    dropped.swap(tasks_);
    threads.swap(threads_);
    changed_.notify_all();
  }
  for (std::thread& thread : threads) thread.join();
}

void TaskPool::add(std::function<void()> task) {
  const std::lock_guard lock(mutex_);
  if (closing_) return;
  if (tasks_.size() >= idle_ && wants_thread()) start_thread();
  tasks_.push_back(std::move(task));
  changed_.notify_one();  // who waits in pause() while there is room has been woken before
}

// A thread that was woken counts as idle until it has come to its task: several tasks at once would each
// start another.
bool TaskPool::wants_thread() const { return threads_.size() - paused_ < most_; }

void TaskPool::start_thread() {
  threads_.reserve(threads_.size() + 1);
  try {
    threads_.push_back(quiet_thread([this] { work(); }));
  } catch (const std::system_error&) {
    if (threads_.empty()) throw Error(ErrorCode::resource, {.where = "threads", .got = "no more to be had"});
  }
}

void TaskPool::pause(const std::function<void()>& wait) {
  {
    const std::lock_guard lock(mutex_);
    --working_;
    ++paused_;
    try {
      if (tasks_.size() > idle_ && !closing_ && wants_thread()) start_thread();
    } catch (const std::bad_alloc&) {  // one thread more would have been welcome, no more
    }
    changed_.notify_all();
  }
  std::exception_ptr thrown;
  try {
    wait();
  } catch (...) {
    thrown = std::current_exception();
  }
  std::unique_lock lock(mutex_);
  changed_.wait(lock, [this] { return may_work(); });
  ++working_;
  --paused_;
  if (thrown) std::rethrow_exception(thrown);
}

void TaskPool::work() {
  std::unique_lock lock(mutex_);
  for (;;) {
    ++idle_;
    changed_.wait(lock, [this] { return closing_ || (!tasks_.empty() && may_work()); });
    --idle_;
    if (closing_) return;
    std::function<void()> task = std::move(tasks_.front());
    tasks_.pop_front();
    ++working_;
    lock.unlock();
    task();
    task = nullptr;  // what it holds may be large
    lock.lock();
    --working_;
    if (paused_ > 0) changed_.notify_all();
  }
}

}  // namespace galago
