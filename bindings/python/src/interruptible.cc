// See the header.
#include "interruptible.h"

#include <unistd.h>

#include <atomic>
#include <thread>

namespace galago::python {
namespace {

// Not a mutex and a condition: a child that came by fork() may have got them locked.
std::atomic<int> running = 0;
std::atomic<pid_t> process = 0;  // that they run in

}  // namespace

void check_signals() {
  const nanobind::gil_scoped_acquire locked;
  if (PyErr_CheckSignals() != 0) throw nanobind::python_error();
}

void start_worker(std::function<void()> work) {
  if (process.exchange(getpid()) != getpid()) running = 0;
  ++running;
  try {
    std::thread([work = std::move(work)]() mutable {
      work();
      work = {};
      --running;
    }).detach();
  } catch (...) {
    --running;
    throw;
  }
}

void wait_for_workers() {
  while (process == getpid() && running > 0) std::this_thread::sleep_for(std::chrono::milliseconds(1));
}

}  // namespace galago::python
