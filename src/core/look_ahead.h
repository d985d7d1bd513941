// A producer that works one item ahead of its consumer. In: a function that makes items and one that uses
// them. Out: the same calls in the same order as without the thread; only the time differs.
#pragma once

#include <condition_variable>
#include <exception>
#include <functional>
#include <mutex>
#include <optional>
#include <system_error>
#include <thread>
#include <utility>

namespace galago {

/// Where one item lies between two threads.
template <class Item>
class Handover {
 public:
  /// What give() throws when nobody takes items any more.
  struct Closed {};

  /// Returns once the item was taken, so that the producer is never more than one item ahead.
  void give(Item item) {
    std::unique_lock lock(mutex_);
    item_ = std::move(item);
    changed_.notify_all();
    changed_.wait(lock, [this] { return !item_ || closed_; });
    if (closed_) throw Closed{};
  }
  /// The next item; nothing after the last. Throws what the producer ended with.
  std::optional<Item> take() {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [this] { return item_ || ended_; });
    if (!item_ && fault_) std::rethrow_exception(fault_);
    std::optional<Item> taken = std::exchange(item_, std::nullopt);
    changed_.notify_all();
    return taken;
  }
  /// The producer is done, by a fault if there is one.
  void end(std::exception_ptr fault) {
    const std::lock_guard lock(mutex_);
    ended_ = true;
    fault_ = std::move(fault);
    changed_.notify_all();
  }
  /// The consumer is done.
  void close() {
    const std::lock_guard lock(mutex_);
    closed_ = true;
    changed_.notify_all();
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  std::optional<Item> item_;
  bool ended_ = false;
  bool closed_ = false;
  std::exception_ptr fault_;
};

template <class Item>
using Consume = std::function<void(Item)>;
template <class Item>
using Produce = std::function<void(const Consume<Item>& give)>;

/// produce(consume). With `ahead`, produce runs on a thread of its own and makes the next item while
/// consume, on the calling thread, has the last one. What either throws reaches the caller: a fault of the
/// producer after the items before it, one of the consumer as soon as the producer gives its next item.
template <class Item>
void look_ahead(bool ahead, const Produce<Item>& produce, const Consume<Item>& consume) {
  Handover<Item> handover;
  std::jthread producer;
  const auto work = [&] {
    std::exception_ptr fault;
    try {
      produce([&](Item item) { handover.give(std::move(item)); });
    } catch (const typename Handover<Item>::Closed&) {  // the consumer has its own reason
    } catch (...) {
      fault = std::current_exception();
    }
    handover.end(fault);
  };
  try {
    if (ahead) producer = std::jthread(work);
  } catch (const std::system_error&) {  // no thread to be had: one after the other
  }
  if (!producer.joinable()) return produce(consume);
  struct AtEnd {
    Handover<Item>& handover;
    ~AtEnd() { handover.close(); }
  } const close_before_join{handover};
  while (std::optional<Item> item = handover.take()) consume(std::move(*item));
}

}  // namespace galago
