// Requests that come and go at any time, answered side by side on a thread of the scheduler's own.
//
//   galago::Scheduler scheduler(model);
//   auto handle = scheduler.submit({.prompt = "What is in the picture?", .images = {picture}});
//   while (auto piece = handle.next()) std::cout << piece->text << std::flush;
//   galago::Answer answer = handle.wait();
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <vector>

#include "galago/galago.h"
#include "galago/visibility.h"

namespace galago {

/// A request on its way. One thread at a time reads it; cancel() may be called from any. Going away cancels
/// the request.
class GALAGO_API Handle {
 public:
  struct GALAGO_LOCAL State;
  explicit Handle(std::unique_ptr<State> state);
  Handle(Handle&&) noexcept;
  Handle& operator=(Handle&&) noexcept;
  ~Handle();

  /// The next piece of the answer's text, valid until the next call; waits for it. None after the last one:
  /// wait() tells how it ended.
  std::optional<StreamPiece> next();
  /// The same without waiting: none also when nothing is new.
  std::optional<StreamPiece> poll();
  /// Whether next() or poll() came to the end.
  bool ended() const;
  /// How far its pictures are, as of the last next() or poll().
  std::optional<Progress> progress() const;
  /// Ends it within one piece of work; what it has said so far stays its answer (FinishReason::cancelled).
  void cancel();
  /// Waits for the end and returns the answer, once; throws what ended the request instead. Pieces that were
  /// not taken go to the request's on_text and on_progress, on this thread; one that returns false cancels.
  Answer wait();

 private:
  std::unique_ptr<State> state_;
};

/// Answers requests of one model side by side. Safe to use from several threads. Each answer is the one that
/// the request gets alone, bit for bit (with a prefix cache: but for rounding).
class GALAGO_API Scheduler {
 public:
  /// Error{usage} for options out of their range.
  explicit Scheduler(const Model& model, const SchedulerOptions& options = {});
  /// Cancels what has not ended. Handles stay readable.
  ~Scheduler();
  Scheduler(Scheduler&&) noexcept;
  Scheduler& operator=(Scheduler&&) noexcept;

  /// Plans the request at once, with the errors that Model::ask has before any work, and Error{overloaded}
  /// when too many wait. notify: called from the scheduler's thread when the handle has something new; it
  /// must not wait for anything, nor be the last to hold the scheduler. What it throws is lost.
  Handle submit(Request request, std::function<void()> notify = {});
  /// The same for several answers to one request, as Model::ask_n.
  std::vector<Handle> submit_n(Request request, int64_t n, std::function<void()> notify = {});
  /// Requests that have not ended.
  int64_t size() const;

 private:
  struct GALAGO_LOCAL State;
  std::unique_ptr<State> state_;
};

}  // namespace galago
