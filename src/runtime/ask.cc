// Questions to a model through its own scheduler: one, or several at once. Callbacks are called here, on the
// thread that asks.
#include <utility>

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

// Everything that is new; true when there was something.
bool read_news(Asked& one) {
  bool any = false;
  while (!one.ended) {
    const Mailbox::News news = one.reader->mailbox().poll();
    if (!news.progress && !news.piece && !news.ended) break;
    any = true;
    one.ended = news.ended;
    try {
      one.reader->tell(news);
    } catch (...) {
      one.outcome.error = std::current_exception();
    }
  }
  return any;
}

void finish(Asked& one) {
  if (!one.reader || one.outcome.error) return;
  try {
    one.outcome.answer = one.reader->finish();
  } catch (...) {
    one.outcome.error = std::current_exception();
  }
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
    const auto news = std::make_shared<Alarm>();
    std::vector<Asked> all(requests.size());
    for (size_t i = 0; i < requests.size(); ++i) {
      Asked& one = all[i];
      one.outcome.id = static_cast<int64_t>(i);
      try {
        one.reader = guarded([&] {
          return std::make_unique<Reader>(
              state_->scheduler->submit(
                  requests[i], [news] { news->ring(); }, RequestScheduler::Queue::unbounded),
              requests[i].on_text, requests[i].on_progress);
        });
      } catch (const Error&) {
        one.outcome.error = std::current_exception();
        one.ended = true;
      }
    }
    const auto left = [&] { return std::ranges::any_of(all, [](const Asked& one) { return !one.ended; }); };
    while (left()) {
      bool any = false;
      for (Asked& one : all) any |= read_news(one);
      if (!any) news->wait(-1);
    }
    std::vector<Outcome> outcomes;
    for (Asked& one : all) {
      finish(one);
      outcomes.push_back(std::move(one.outcome));
    }
    return outcomes;
  });
}

int64_t Model::count_tokens(const Request& request) const {
  return guarded([&] { return std::ssize(PlannedRequest(*state_, request).plan().ids); });
}

ImageInfo Model::plan_image(int64_t width, int64_t height, std::optional<bool> split_images) const {
  return image_info(state_->frontend->plan({.width = width, .height = height}, split_images));
}

}  // namespace galago
