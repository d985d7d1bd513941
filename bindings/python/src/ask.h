// One request on its way, for Python. In: a submitted request. Out: pieces of its answer, then the answer.
#pragma once

#include <nanobind/nanobind.h>
#include <sys/types.h>

#include <memory>
#include <mutex>
#include <optional>

#include "bell.h"
#include "galago/scheduler.h"

namespace galago::python {

/// Several threads may use it: each piece goes to one of them.
class Ask {
 public:
  /// handle: of a request whose news ring this bell with this number.
  Ask(Handle handle, std::shared_ptr<Bell> bell);
  ~Ask();
  Ask(const Ask&) = delete;
  Ask& operator=(const Ask&) = delete;

  /// The pieces that are there, without waiting: a list of dicts.
  nanobind::list pieces();
  /// Throws the pieces away that are there; whether the end is among them.
  bool drain();
  bool ended() const;
  /// Until the end, whose pieces are thrown away. Called with the interpreter's lock, which others have while
  /// it waits; what a signal's handler raises cancels the request.
  void wait();
  void cancel();
  /// The answer, once; throws what ended the request instead. After the end.
  nanobind::dict answer();

 private:
  const pid_t owner_;
  std::shared_ptr<Bell> bell_;
  mutable std::mutex mutex_;  // nobody who has it waits for the interpreter's lock
  std::optional<Handle> handle_;
  bool taken_ = false;  // the answer
};

}  // namespace galago::python
