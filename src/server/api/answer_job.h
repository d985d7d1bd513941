// A request that is being answered: from the scheduler's handles to the client's socket. In: notices of both
// sides. Out: events or one document. Its work is done in short turns on a pool, one at a time; a client that
// reads slowly pauses its own answers, one that leaves cancels them.
#pragma once

#include <atomic>
#include <chrono>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "galago/scheduler.h"
#include "runtime/task_pool.h"
#include "server/api/answer_writer.h"
#include "server/api/call.h"
#include "server/api/metrics.h"

namespace galago::server {

/// Create by std::make_shared.
class AnswerJob : public std::enable_shared_from_this<AnswerJob> {
 public:
  /// pool and metrics must outlive it.
  AnswerJob(std::shared_ptr<Call> call, std::unique_ptr<AnswerWriter> writer, bool stream, TaskPool& pool,
            Metrics& metrics);

  /// Sends the requests to the model's scheduler, call.n answers to each. The errors of Scheduler::submit.
  /// Once; nothing is left of them when it was stopped before.
  void submit(std::vector<AnswerCall> calls);
  /// Ends it with this error, unless it is over: it is when this returns.
  void stop(const ApiError& error);
  /// To be called now and then. Sends a comment when it has said nothing for a while, so that those between
  /// know it is alive.
  void keep_alive();
  bool over() const { return over_; }

 private:
  using Clock = std::chrono::steady_clock;
  struct One {
    Handle handle;
    bool silent = false;
    std::optional<Answer> answer{};
    Clock::time_point last{};  // of its last piece
    bool spoke = false;
  };

  void schedule();
  void turn();
  void read(size_t index, std::string& out);
  bool has_room(size_t more) const;
  void send(std::string bytes);
  void finish();
  void fail(const ApiError& error);
  void leave();

  const std::shared_ptr<Call> call_;
  const std::unique_ptr<AnswerWriter> writer_;
  const bool stream_;
  TaskPool& pool_;
  Metrics& metrics_;
  const Clock::time_point begin_ = Clock::now();
  std::atomic<bool> scheduled_ = false;
  std::atomic<bool> missed_ = false;  // a turn that the pool could not take
  std::atomic<bool> over_ = false;
  std::mutex mutex_;  // of what follows
  std::string model_;
  std::vector<One> ones_;
  std::optional<ApiError> stop_;
  std::optional<std::string> opening_;  // what a stream begins with
  Clock::time_point said_ = begin_;     // when something was sent last
  int64_t tiles_told_ = -1;
  bool waking_ = false;
};

}  // namespace galago::server
