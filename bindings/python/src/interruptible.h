// Long work without the interpreter's lock that a signal ends the waiting for. In: a function that touches
// nothing of Python's. Out: what it returns or throws; or what a handler of a signal raised, such as
// KeyboardInterrupt.
#pragma once

#include <nanobind/nanobind.h>

#include <chrono>
#include <functional>
#include <future>
#include <memory>
#include <utility>

namespace galago::python {

/// How long somebody who waits does not look for signals.
constexpr std::chrono::milliseconds kBetweenSignals{50};

/// Calls the handlers of signals that have come, with the interpreter's lock taken for that long; throws what
/// they raise.
void check_signals();
/// Runs it on a thread of its own. Whoever gives up waiting leaves it to its end.
void start_worker(std::function<void()> work);
/// Until the last worker of this process has ended.
void wait_for_workers();

/// Called with the interpreter's lock, which others have while it waits.
template <class Work>
auto interruptible(Work work) {
  using Result = decltype(work());
  auto task = std::make_shared<std::packaged_task<Result()>>(std::move(work));
  std::future<Result> result = task->get_future();
  const nanobind::gil_scoped_release unlocked;
  start_worker([task = std::move(task)]() mutable {
    (*task)();
    task.reset();  // what it holds goes before the worker has ended
  });
  while (result.wait_for(kBetweenSignals) != std::future_status::ready) check_signals();
  return result.get();
}

}  // namespace galago::python
