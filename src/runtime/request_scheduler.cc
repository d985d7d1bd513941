// The loop's thread: takes in what came, goes round, and sleeps when there is nothing to do.
#include "runtime/request_scheduler.h"

#include <string>
#include <system_error>
#include <utility>

#include "core/limits.h"
#include "io/quiet_thread.h"

namespace galago {
namespace {

const SchedulerOptions& checked(const SchedulerOptions& options) {
  const auto require = [](bool holds, const char* where, int64_t got, const std::string& expected) {
    if (!holds)
      throw Error(ErrorCode::usage, {.where = where, .got = std::to_string(got), .expected = expected});
  };
  require(options.max_sequences >= 1 && options.max_sequences <= limits::kBatchSequences, "max_sequences",
          options.max_sequences, "from 1 to " + std::to_string(limits::kBatchSequences));
  require(options.max_waiting >= 0, "max_waiting", options.max_waiting, "0 or more");
  require(options.mailbox >= 1, "mailbox", options.mailbox, "at least 1");
  return options;
}

}  // namespace

RequestScheduler::RequestScheduler(const Model::State& model, const SchedulerOptions& options)
    : options_(checked(options)),
      place_{.model = model, .alarm = std::make_shared<Alarm>()},
      sequences_(model.engine->decoder(), model.pages->counted_apart(), model.prefixes.get(),
                 place_.workspace),
      loop_(sequences_,
            {.sequences = options.max_sequences,
             .memory_bytes = options.max_memory,
             .max_gap_ms = options.max_gap_ms,
             .step_tokens = options.step_tokens},
            [this] { return clock_.ms(); }) {}

RequestScheduler::~RequestScheduler() {
  {
    const std::lock_guard lock(mutex_);
    closing_ = true;
  }
  place_.alarm->ring();
  if (thread_.joinable()) thread_.join();
  for (const auto& work : news()) work->end({.finish_reason = FinishReason::cancelled});
}

std::shared_ptr<Mailbox> RequestScheduler::submit(Request request, std::function<void()> notify,
                                                  Queue queue) {
  // What they hold, perhaps the model itself, must not go away on the scheduler's threads.
  request.on_text = {};
  request.on_progress = {};
  auto mailbox = std::make_shared<Mailbox>(options_.mailbox, place_.alarm, std::move(notify));
  auto work = std::make_shared<RequestWork>(place_, std::move(request), clock_.ms(), mailbox);
  loop_.check(*work);
  if (queue == Queue::bounded && size() > options_.max_sequences + options_.max_waiting)
    throw Error(ErrorCode::overloaded,
                {.where = "scheduler",
                 .got = std::to_string(size() - 1) + " requests that have not ended",
                 .expected = "less than " + std::to_string(options_.max_sequences) + " together and " +
                             std::to_string(options_.max_waiting) + " waiting",
                 .hint = "try again later"});
  {
    const std::lock_guard lock(mutex_);
    inbox_.push_back(std::move(work));
    try {
      if (!thread_.joinable()) thread_ = quiet_thread([this] { run(); });
    } catch (const std::system_error&) {
      inbox_.pop_back();
      throw Error(ErrorCode::resource, {.where = "threads", .got = "no more to be had"});
    }
  }
  place_.alarm->ring();
  return mailbox;
}

std::vector<std::shared_ptr<RequestWork>> RequestScheduler::news() {
  const std::lock_guard lock(mutex_);
  return std::exchange(inbox_, {});
}

void RequestScheduler::take_in() {
  for (auto& work : news()) try {
      loop_.add(work);
    } catch (...) {
      work->fail(std::current_exception());
    }
}

void RequestScheduler::run() {
  for (;;) {
    take_in();
    {
      const std::lock_guard lock(mutex_);
      if (closing_) break;
    }
    try {
      if (loop_.step()) continue;
    } catch (...) {  // no memory for the loop's own lists
      loop_.fail_all(std::current_exception());
    }
    const double deadline = loop_.next_deadline();
    place_.alarm->wait(deadline < 0 ? -1 : std::max(0.0, deadline - clock_.ms()));
  }
  loop_.cancel_all();
}

}  // namespace galago
