// A model's requests on a thread of their own. In: requests of the public API, from any thread. Out: for each
// a mailbox. Model::ask, ask_all and Scheduler are its clients.
#pragma once

#include <functional>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

#include "core/clock.h"
#include "runtime/request_work.h"
#include "runtime/scheduler_loop.h"

namespace galago {

/// Safe from any thread.
class RequestScheduler {
 public:
  /// `model` must outlive it. Error{usage} for options out of their range.
  RequestScheduler(const Model::State& model, const SchedulerOptions& options);
  /// What has not ended is cancelled.
  ~RequestScheduler();

  /// Whether more than max_waiting may wait: those who bring all their requests at once have them in memory
  /// anyway.
  enum class Queue { bounded, unbounded };
  /// Plans the request at once, with the errors that come before any work; Error{overloaded} when too many
  /// wait. Its callbacks are its reader's, and not kept. notify: see Mailbox.
  std::shared_ptr<Mailbox> submit(Request request, std::function<void()> notify, Queue queue);
  /// The same for n answers, whose seeds follow one another, and whose prompt is read once. notify is told
  /// which of them has something new.
  std::vector<std::shared_ptr<Mailbox>> submit_n(Request request, int64_t n,
                                                 const std::function<void(int64_t)>& notify, Queue queue);
  /// Requests that have not ended.
  int64_t size() const { return place_.unfinished; }

 private:
  void put_in(std::vector<std::shared_ptr<RequestWork>> works);
  void run();
  void take_in();
  std::vector<std::shared_ptr<RequestWork>> news();

  const SchedulerOptions options_;
  Clock clock_;
  WorkPlace place_;
  DecoderSequences sequences_;  // of the thread alone, as the loop
  SchedulerLoop loop_;
  std::mutex mutex_;
  std::vector<std::shared_ptr<RequestWork>> inbox_;
  bool closing_ = false;
  std::thread thread_;  // from the first request on
};

}  // namespace galago
