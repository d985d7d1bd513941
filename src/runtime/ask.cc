// Questions to a model through its own scheduler: one, or several at once. Callbacks are called here, on the
// thread that asks.
#include <algorithm>
#include <condition_variable>
#include <mutex>
#include <utility>
#include <vector>

#include "runtime/guarded.h"
#include "runtime/planned_request.h"
#include "runtime/reader.h"
#include "runtime/request_scheduler.h"

namespace galago {
namespace {

// One of several requests that are read side by side.
struct Asked {
  std::unique_ptr<Reader> reader;
  Outcome outcome;
  bool ended = false;
};

/// Tells which requests have news, so that nobody looks at all of them.
class Bell {
 public:
  void ring(size_t request) {
    const std::lock_guard lock(mutex_);
    rung_.push_back(request);
    changed_.notify_one();
  }
  std::vector<size_t> wait() {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [this] { return !rung_.empty(); });
    return std::exchange(rung_, {});
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<size_t> rung_;
};

// Everything that is new.
void read_news(Asked& one) {
  while (!one.ended) {
    const Mailbox::News news = one.reader->mailbox().poll();
    if (!news.progress && !news.piece && !news.ended) break;
    one.ended = news.ended;
    try {
      one.reader->tell(news);
    } catch (...) {
      one.outcome.error = std::current_exception();
    }
  }
}

// Until all have ended.
void read_all(std::vector<Asked>& all, Bell& bell) {
  auto left = std::ranges::count(all, false, &Asked::ended);
  while (left > 0)
    for (const size_t i : bell.wait()) {
      if (all[i].ended) continue;
      read_news(all[i]);
      if (all[i].ended) --left;
    }
}

void finish(Asked& one) {
  if (!one.reader || one.outcome.error) return;
  try {
    one.outcome.answer = one.reader->finish();
  } catch (...) {
    one.outcome.error = std::current_exception();
  }
}

std::vector<Outcome> outcomes_of(std::vector<Asked>& all) {
  std::vector<Outcome> outcomes;
  for (size_t i = 0; i < all.size(); ++i) {
    finish(all[i]);
    all[i].outcome.id = static_cast<int64_t>(i);
    outcomes.push_back(std::move(all[i].outcome));
  }
  return outcomes;
}

}  // namespace

Answer Model::ask(const Request& request) const {
  return guarded([&] {
    Reader reader(state_->scheduler->submit(request, {}, RequestScheduler::Queue::unbounded), request.on_text,
                  request.on_progress);
    for (;;) {
      const Mailbox::News news = reader.mailbox().next();
      reader.tell(news);
      if (news.ended) return reader.finish();
    }
  });
}

std::vector<Outcome> Model::ask_all(std::span<const Request> requests) const {
  return guarded([&] {
    const auto bell = std::make_shared<Bell>();
    std::vector<Asked> all(requests.size());
    for (size_t i = 0; i < requests.size(); ++i) try {
        const auto notify = [bell, i] { bell->ring(i); };
        all[i].reader = guarded([&] {
          return std::make_unique<Reader>(
              state_->scheduler->submit(requests[i], notify, RequestScheduler::Queue::unbounded),
              requests[i].on_text, requests[i].on_progress);
        });
      } catch (const Error&) {
        all[i].outcome.error = std::current_exception();
        all[i].ended = true;
      }
    read_all(all, *bell);
    return outcomes_of(all);
  });
}

std::vector<Outcome> Model::ask_n(const Request& request, int64_t n) const {
  return guarded([&] {
    const auto bell = std::make_shared<Bell>();
    auto mailboxes = state_->scheduler->submit_n(
        request, n, [bell](int64_t i) { bell->ring(static_cast<size_t>(i)); },
        RequestScheduler::Queue::unbounded);
    std::vector<Asked> all(mailboxes.size());
    for (size_t i = 0; i < all.size(); ++i)
      all[i].reader =
          std::make_unique<Reader>(std::move(mailboxes[i]), i == 0 ? request.on_text : StreamCallback(),
                                   i == 0 ? request.on_progress : ProgressCallback());
    read_all(all, *bell);
    return outcomes_of(all);
  });
}

int64_t Model::count_tokens(const Request& request) const {
  return guarded([&] { return std::ssize(PlannedRequest(*state_, request).plan().ids); });
}

ImageInfo Model::plan_image(int64_t width, int64_t height, std::optional<bool> split_images) const {
  return image_info(state_->frontend->plan({.width = width, .height = height}, split_images));
}

}  // namespace galago
