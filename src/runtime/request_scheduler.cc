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
  std::function<void(int64_t)> any;
  if (notify) any = [notify = std::move(notify)](int64_t) { notify(); };
  return submit_n(std::move(request), 1, any, queue).front();
}

std::vector<std::shared_ptr<Mailbox>> RequestScheduler::submit_n(Request request, int64_t n,
                                                                 const std::function<void(int64_t)>& notify,
                                                                 Queue queue) {
  if (n < 1 || n > limits::kAnswersPerRequest)
    throw Error(ErrorCode::usage, {.where = "n",
                                   .got = std::to_string(n),
                                   .expected = "from 1 to " + std::to_string(limits::kAnswersPerRequest)});
  // What they hold, perhaps the model itself, must not go away on the scheduler's threads.
  request.on_text = {};
  request.on_progress = {};
  const auto group = n > 1 ? std::make_shared<const int>(0) : nullptr;
  std::vector<std::shared_ptr<Mailbox>> mailboxes;
  std::vector<std::shared_ptr<RequestWork>> works;
  for (int64_t i = 0; i < n; ++i) {
    std::function<void()> own;
    if (notify) own = [notify, i] { notify(i); };
    mailboxes.push_back(std::make_shared<Mailbox>(options_.mailbox, place_.alarm, std::move(own)));
    works.push_back(std::make_shared<RequestWork>(place_, request, clock_.ms(), mailboxes.back(), group));
    ++request.options.seed;
  }
  loop_.check(*works.front());
  if (queue == Queue::bounded && size() > options_.max_sequences + options_.max_waiting)
    throw Error(ErrorCode::overloaded,
                {.where = "scheduler",
                 .got = std::to_string(size() - n) + " requests that have not ended",
                 .expected = "less than " + std::to_string(options_.max_sequences) + " together and " +
                             std::to_string(options_.max_waiting) + " waiting",
                 .hint = "try again later"});
  put_in(std::move(works));
  return mailboxes;
}

// All at once, so that none of a group comes too late for the others.
void RequestScheduler::put_in(std::vector<std::shared_ptr<RequestWork>> works) {
  {
    const std::lock_guard lock(mutex_);
    if (!thread_.joinable()) try {
        thread_ = quiet_thread([this] { run(); });
      } catch (const std::system_error&) {
        throw Error(ErrorCode::resource, {.where = "threads", .got = "no more to be had"});
      }
    inbox_.insert(inbox_.end(), works.begin(), works.end());
  }
  place_.alarm->ring();
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
