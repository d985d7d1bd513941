// One item at a time from a thread that makes them to one that uses them. The maker is never more than one
// item ahead.
#pragma once

#include <condition_variable>
#include <exception>
#include <functional>
#include <mutex>
#include <optional>
#include <utility>

namespace galago {

/// Where one item lies between two threads.
template <class Item>
class Handover {
 public:
  /// What give() throws when nobody takes items any more.
  struct Closed {};

  /// changed: called, from the maker's thread, when there is an item or the end; may be empty.
  explicit Handover(std::function<void()> changed = {}) : on_change_(std::move(changed)) {}

  /// Returns once the item was taken.
  void give(Item item) {
    {
      const std::lock_guard lock(mutex_);
      item_ = std::move(item);
    }
    if (on_change_) on_change_();
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [this] { return !item_ || closed_; });
    if (closed_) throw Closed{};
  }
  /// The maker is done, by a fault if there is one.
  void end(std::exception_ptr fault) {
    {
      const std::lock_guard lock(mutex_);
      ended_ = true;
      fault_ = std::move(fault);
    }
    if (on_change_) on_change_();
  }
  /// An item when there is one. Throws what the maker ended with, after the items before it.
  std::optional<Item> take() {
    const std::lock_guard lock(mutex_);
    if (!item_ && fault_) std::rethrow_exception(fault_);
    std::optional<Item> taken = std::exchange(item_, std::nullopt);
    changed_.notify_all();
    return taken;
  }
  /// No item will come any more.
  bool exhausted() const {
    const std::lock_guard lock(mutex_);
    return ended_ && !item_ && !fault_;
  }
  /// The user is done.
  void close() {
    const std::lock_guard lock(mutex_);
    closed_ = true;
    changed_.notify_all();
  }

 private:
  const std::function<void()> on_change_;
  mutable std::mutex mutex_;
  std::condition_variable changed_;
  std::optional<Item> item_;
  bool ended_ = false;
  bool closed_ = false;
  std::exception_ptr fault_;
};

}  // namespace galago
