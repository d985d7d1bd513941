// See the header. Workers take the next file, the largest first; the caller's thread looks after them.
#include "hub/transfer.h"

#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <deque>
#include <exception>
#include <mutex>
#include <thread>

#include "core/cancelled.h"
#include "galago/error.h"
#include "io/quiet_thread.h"

namespace galago::hub {
namespace {

using SteadyClock = std::chrono::steady_clock;
constexpr auto kLook = std::chrono::milliseconds(100);
constexpr size_t kLooks = 50;  // over which the rate is told
constexpr int kMostWorkers = 16;

enum class State { waiting, active, done };

struct Job {
  const RepoFile* file;
  Counter bytes = 0;
  std::atomic<State> state = State::waiting;
  explicit Job(const RepoFile& one) : file(&one) {}
};

class Transfers {
 public:
  Transfers(const Source& source, const std::vector<RepoFile>& files) : source_(source) {
    for (const RepoFile& file : files) jobs_.emplace_back(file);
    for (Job& job : jobs_) order_.push_back(&job);
    std::stable_sort(order_.begin(), order_.end(),
                     [](const Job* a, const Job* b) { return a->file->size > b->file->size; });
    for (Job& job : jobs_) {
      total_ += job.file->size;
      job.bytes = source.store.partial_bytes(*job.file);
    }
  }

  ~Transfers() {
    stop_ = true;
    for (std::thread& worker : workers_)
      if (worker.joinable()) worker.join();
  }
  Transfers(const Transfers&) = delete;
  Transfers& operator=(const Transfers&) = delete;

  void run(const PullOptions& options) {
    const size_t count =
        std::min(jobs_.size(), static_cast<size_t>(std::clamp(options.workers, 1, kMostWorkers)));
    running_ = count;
    try {
      while (workers_.size() < count) workers_.push_back(quiet_thread([this] { work(); }));
    } catch (const std::system_error&) {
      if (workers_.empty())
        throw Error(ErrorCode::resource, {.where = "the download", .got = "no thread to be had"});
      const std::lock_guard lock(mutex_);
      running_ -= count - workers_.size();
    }
    while (!finished()) {
      if (options.cancelled && options.cancelled()) stop_ = true;
      if (options.on_progress) options.on_progress(progress());
    }
    if (failed_) std::rethrow_exception(failed_);
    if (stop_) throw Cancelled{};
    if (options.on_progress) options.on_progress(progress());
  }

 private:
  bool finished() {
    std::unique_lock lock(mutex_);
    return ended_.wait_for(lock, kLook, [this] { return running_ == 0; });
  }

  void work() {
    try {
      const auto stopped = [this] { return stop_.load(); };
      Client client(source_.settings, stopped);
      for (size_t at = next_++; at < order_.size() && !stop_; at = next_++) {
        Job& job = *order_[at];
        job.state = State::active;
        download(client, source_, *job.file, job.bytes, stopped);
        job.state = State::done;
      }
    } catch (const Cancelled&) {
    } catch (...) {
      const std::lock_guard lock(mutex_);
      if (!failed_) failed_ = std::current_exception();
      stop_ = true;
    }
    const std::lock_guard lock(mutex_);
    --running_;
    ended_.notify_all();
  }

  Progress progress() {
    Progress progress{.total = total_};
    for (const Job& job : jobs_) {
      progress.bytes += job.bytes;
      if (job.state == State::active)
        progress.active.push_back({.path = job.file->path, .bytes = job.bytes, .total = job.file->size});
    }
    const auto now = SteadyClock::now();
    looks_.emplace_back(now, progress.bytes);
    if (looks_.size() > kLooks) looks_.pop_front();
    const double seconds = std::chrono::duration<double>(now - looks_.front().first).count();
    const auto gained = static_cast<double>(progress.bytes - looks_.front().second);
    if (seconds > 0) progress.bytes_per_second = std::max(0.0, gained / seconds);
    return progress;
  }

  const Source& source_;
  std::deque<Job> jobs_;
  std::vector<Job*> order_;
  int64_t total_ = 0;
  std::atomic<size_t> next_ = 0;
  std::atomic<bool> stop_ = false;
  std::mutex mutex_;
  std::condition_variable ended_;
  size_t running_ = 0;
  std::exception_ptr failed_;
  std::deque<std::pair<SteadyClock::time_point, int64_t>> looks_;
  std::vector<std::thread> workers_;
};

}  // namespace

void download_all(const Source& source, const std::vector<RepoFile>& files, const PullOptions& options) {
  if (!files.empty()) Transfers(source, files).run(options);
}

}  // namespace galago::hub
