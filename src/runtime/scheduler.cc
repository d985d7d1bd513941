// The public scheduler and its handles.
#include "galago/scheduler.h"

#include <utility>

#include "runtime/guarded.h"
#include "runtime/reader.h"
#include "runtime/request_scheduler.h"

namespace galago {

struct Handle::State {
  explicit State(Reader of) : reader(std::move(of)) {}

  Reader reader;
  MailedPiece last;  // whose text the caller has
  std::optional<Progress> progress;
  bool ended = false;

  std::optional<StreamPiece> take(Mailbox::News news) {
    if (news.progress) progress = news.progress;
    ended |= news.ended;
    if (!news.piece) return std::nullopt;
    last = std::move(*news.piece);
    reader.note(last);
    return last.view();
  }
};

Handle::Handle(std::unique_ptr<State> state) : state_(std::move(state)) {}
Handle::Handle(Handle&&) noexcept = default;
Handle& Handle::operator=(Handle&&) noexcept = default;
Handle::~Handle() = default;

std::optional<StreamPiece> Handle::next() {
  while (!state_->ended)
    if (auto piece = state_->take(state_->reader.mailbox().next())) return piece;
  return std::nullopt;
}

std::optional<StreamPiece> Handle::poll() {
  return state_->ended ? std::nullopt : state_->take(state_->reader.mailbox().poll());
}

bool Handle::ended() const { return state_->ended; }
std::optional<Progress> Handle::progress() const { return state_->progress; }
void Handle::cancel() { state_->reader.mailbox().cancel(); }

Answer Handle::wait() {
  while (!state_->ended) {
    const Mailbox::News news = state_->reader.mailbox().next();
    if (news.progress) state_->progress = news.progress;
    state_->ended = news.ended;
    state_->reader.tell(news);
  }
  return state_->reader.finish();
}

struct Scheduler::State {
  State(std::shared_ptr<const Model::State> loaded, const SchedulerOptions& options)
      : model(std::move(loaded)), requests(*model, options) {}

  std::shared_ptr<const Model::State> model;  // first: requests refer to it
  RequestScheduler requests;
};

Scheduler::Scheduler(const Model& model, const SchedulerOptions& options)
    : state_(guarded([&] { return std::make_unique<State>(model.state(), options); })) {}
Scheduler::~Scheduler() = default;
Scheduler::Scheduler(Scheduler&&) noexcept = default;
Scheduler& Scheduler::operator=(Scheduler&&) noexcept = default;

Handle Scheduler::submit(Request request, std::function<void()> notify) {
  return std::move(submit_n(std::move(request), 1, std::move(notify)).front());
}

std::vector<Handle> Scheduler::submit_n(Request request, int64_t n, std::function<void()> notify) {
  return guarded([&] {
    StreamCallback on_text = request.on_text;
    ProgressCallback on_progress = request.on_progress;
    std::function<void(int64_t)> any;
    if (notify) any = [notify = std::move(notify)](int64_t) { notify(); };
    std::vector<Handle> handles;
    for (auto& mailbox :
         state_->requests.submit_n(std::move(request), n, any, RequestScheduler::Queue::bounded))
      handles.emplace_back(std::make_unique<Handle::State>(
          Reader(std::move(mailbox), std::exchange(on_text, nullptr), std::exchange(on_progress, nullptr))));
    return handles;
  });
}

int64_t Scheduler::size() const { return state_->requests.size(); }

}  // namespace galago
