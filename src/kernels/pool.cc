// Workers wait for the next job by looking at a counter for some microseconds, as the next product of a
// decode step comes at once, and then sleep: threads that went on looking would take processors from other
// programs. A job is a ticket (its number and the next part to do) that threads move on by compare-and-swap;
// a thread which wakes up late finds nothing left and nobody waits for it.
#include "kernels/pool.h"

#include <pthread.h>
#include <signal.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <exception>
#include <mutex>
#include <thread>
#include <vector>

#include <hwy/cache_control.h>

namespace galago::kernels {
namespace {

constexpr uint64_t kNoPart = 0xffffffffU;  // the lower half of a ticket
constexpr int kNoMoreJobs = -1;            // numbers of jobs are 0 or more
constexpr int kLooks = 4000;               // pauses of 64 to 140 cycles: 50 to 150 microseconds

/// Waits until `value` is no longer `old`: looks for a while, then sleeps.
int await_change(const std::atomic<int>& value, int old) {
  for (int i = 0; i < kLooks; ++i) {
    const int now = value.load(std::memory_order_acquire);
    if (now != old) return now;
    hwy::Pause();
  }
  value.wait(old, std::memory_order_acquire);
  return value.load(std::memory_order_acquire);
}

thread_local bool inside = false;  // this thread runs a part
thread_local int own_index = 0;

}  // namespace

class Pool::Team {
 public:
  ~Team() {
    if (inherited()) {
      for (std::thread& worker : workers_) worker.detach();
      return;
    }
    job_.store(kNoMoreJobs, std::memory_order_seq_cst);
    job_.notify_all();
    for (std::thread& worker : workers_) worker.join();
  }

  void run(int64_t parts, int helpers, void (*body)(const void*, int64_t), const void* context) {
    grow(helpers);
    error_ = nullptr;
    const int job = static_cast<int>((job_.load(std::memory_order_relaxed) + 1U) & 0x7fffffffU);
    // First a ticket that nobody can take: a late worker of the last job must not take a part of this one.
    ticket_.store(static_cast<uint64_t>(job) << 32 | kNoPart, std::memory_order_relaxed);
    body_.store(body, std::memory_order_release);
    context_.store(context, std::memory_order_release);
    left_.store(static_cast<int>(parts), std::memory_order_release);
    helpers_.store(helpers, std::memory_order_release);
    parts_.store(parts, std::memory_order_release);
    ticket_.store(static_cast<uint64_t>(job) << 32, std::memory_order_release);
    job_.store(job, std::memory_order_seq_cst);  // before notify_all looks whether anybody sleeps
    job_.notify_all();
    take_parts(job);
    for (int left; (left = left_.load(std::memory_order_acquire)) != 0;) await_change(left_, left);
    if (error_) std::rethrow_exception(error_);
  }

  std::mutex& busy() { return busy_; }

 private:
  /// Whether the threads were those of a process that this one was forked from: here they do not run.
  bool inherited() const { return !workers_.empty() && getpid() != process_; }

  void grow(int helpers) {
    if (static_cast<int>(workers_.size()) >= helpers || inherited()) return;
    process_ = getpid();
    // Signals are for the program's own threads, but for those that an instruction raises: blocked, they
    // would end the process past every handler that a program has for them.
    sigset_t sent, before;
    sigfillset(&sent);
    for (const int raised : {SIGBUS, SIGSEGV, SIGFPE, SIGILL, SIGTRAP, SIGSYS}) sigdelset(&sent, raised);
    pthread_sigmask(SIG_SETMASK, &sent, &before);
    try {
      while (static_cast<int>(workers_.size()) < helpers)
        workers_.emplace_back([this, index = static_cast<int>(workers_.size())] { work(index); });
    } catch (...) {  // no more threads or memory to be had: the others do the work
    }
    pthread_sigmask(SIG_SETMASK, &before, nullptr);
  }

  void work(int index) {
    own_index = index + 1;
    for (int job = 0;;) {
      job = await_change(job_, job);
      if (job == kNoMoreJobs) return;
      if (index < helpers_.load(std::memory_order_acquire)) take_parts(job);
    }
  }

  void take_parts(int job) {
    inside = true;
    uint64_t ticket = ticket_.load(std::memory_order_acquire);
    while (ticket >> 32 == static_cast<uint64_t>(job)) {
      // What is read here belongs to this job if the exchange succeeds: a newer job has another ticket.
      const auto part = static_cast<int64_t>(ticket & kNoPart);
      const auto body = body_.load(std::memory_order_acquire);
      const void* const context = context_.load(std::memory_order_acquire);
      if (part >= parts_.load(std::memory_order_acquire)) break;
      if (!ticket_.compare_exchange_weak(ticket, ticket + 1, std::memory_order_acq_rel)) continue;
      try {
        body(context, part);
      } catch (...) {
        const std::lock_guard lock(error_mutex_);
        if (!error_) error_ = std::current_exception();
      }
      if (left_.fetch_sub(1, std::memory_order_acq_rel) == 1) left_.notify_all();
      ticket = ticket_.load(std::memory_order_acquire);
    }
    inside = false;
  }

  std::mutex busy_;  // held by the caller whose job runs
  std::vector<std::thread> workers_;
  pid_t process_ = 0;  // whose threads they are
  // What a job is and how far it is: one cache line, which comes to a thread with the news that there is one.
  alignas(64) std::atomic<int> job_ = 0;
  std::atomic<uint64_t> ticket_ = 0;  // job << 32 | next part
  std::atomic<void (*)(const void*, int64_t)> body_ = nullptr;
  std::atomic<const void*> context_ = nullptr;
  std::atomic<int64_t> parts_ = 0;
  std::atomic<int> helpers_ = 0;
  std::atomic<int> left_ = 0;  // parts that are not done
  std::mutex error_mutex_;
  std::exception_ptr error_;
};

Pool::Pool(int threads) : threads_(threads), team_(std::make_unique<Team>()) {}

Pool::~Pool() = default;

void Pool::run(int64_t parts, void (*body)(const void* context, int64_t part), const void* context) {
  if (parts > 1 && threads_ > 1 && !inside) {
    if (const std::unique_lock lock(team_->busy(), std::try_to_lock); lock) {
      team_->run(parts, static_cast<int>(std::min<int64_t>(threads_, parts)) - 1, body, context);
      return;
    }
  }
  for (int64_t part = 0; part < parts; ++part) body(context, part);
}

int Pool::thread_index() { return own_index; }

int processors() {
  static const int count = std::max(1, static_cast<int>(std::thread::hardware_concurrency()));
  return count;
}

}  // namespace galago::kernels
