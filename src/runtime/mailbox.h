// Between the loop's thread, which answers, and whoever reads the answer. In: progress, pieces of text, the
// end. Out: the same, in order, when the reader wants them. Holds a bounded number of pieces: a reader that
// takes none is passed over until it does.
#pragma once

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>

#include "galago/galago.h"

namespace galago {

/// Wakes a thread that waits for something to do. Safe from any thread.
class Alarm {
 public:
  void ring();
  /// Until it rings, or has rung since the last wait; at most so many milliseconds, below 0: without limit.
  void wait(double ms);

 private:
  std::mutex mutex_;
  std::condition_variable rang_;
  bool ringing_ = false;
};

/// A piece of an answer that owns its text.
struct MailedPiece {
  std::string text;
  int32_t token_id = -1;
  std::optional<TokenLogprobs> logprobs{};

  /// Valid as long as it is.
  StreamPiece view() const {
    return {.text = text, .token_id = token_id, .logprobs = logprobs ? &*logprobs : nullptr};
  }
};

/// How one request ended: an answer, or what it threw.
struct MailedEnd {
  Answer answer;
  std::exception_ptr error;
};

/// Safe from any thread.
class Mailbox {
 public:
  /// alarm: of the loop, which has to know of room and of cancelling. notify: called when there is something
  /// new to read, from the loop's thread; may be empty. What it throws is lost.
  Mailbox(int64_t capacity, std::shared_ptr<Alarm> alarm, std::function<void()> notify);

  // The loop's side.
  void report(const Progress& progress);
  /// False when it is cancelled: then this piece is the last one.
  bool put(const StreamPiece& piece);
  bool has_room() const;
  bool cancelled() const { return cancelled_.load(std::memory_order_relaxed); }
  void end(MailedEnd end);

  // The reader's side.
  struct News {
    std::optional<Progress> progress;  ///< the latest, when it was not told yet
    std::optional<MailedPiece> piece;
    bool ended = false;  ///< and everything before it was taken
  };
  /// What is new; waits until there is something.
  News next();
  /// What is new; nothing of all when there is nothing.
  News poll();
  void cancel();
  /// Once `ended` was told, or to throw away what was not read: the end. Waits for it.
  MailedEnd take_end();

 private:
  void notify() const;
  bool any() const;
  News take();

  const int64_t capacity_;
  const std::shared_ptr<Alarm> alarm_;
  const std::function<void()> notify_;
  std::atomic<bool> cancelled_ = false;
  mutable std::mutex mutex_;
  std::condition_variable changed_;
  std::optional<Progress> progress_;
  std::deque<MailedPiece> pieces_;
  bool full_ = false;  // since there were `capacity` pieces, until half of them were read
  std::optional<MailedEnd> end_;
};

}  // namespace galago
