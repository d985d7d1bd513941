#include "server/http/answer.h"

#include <utility>

namespace galago::http {

Answer::Answer(Request request, std::function<void()> wake)
    : request_(std::move(request)), wake_(std::move(wake)) {}

void Answer::wake_locked() {
  if (!wake_ || woken_) return;
  wake_();
  woken_ = true;
}

void Answer::respond(Response response) {
  const std::lock_guard lock(mutex_);
  if (phase_ != Phase::fresh || !wake_) return;
  phase_ = Phase::ended;
  taken_.head = std::move(response);
  taken_.ended = true;
  wake_locked();
}

void Answer::begin(Response head) {
  const std::lock_guard lock(mutex_);
  if (phase_ != Phase::fresh || !wake_) return;
  phase_ = Phase::streaming;
  taken_.head = std::move(head);
  taken_.streams = true;
  wake_locked();
}

void Answer::write(std::string bytes) {
  const std::lock_guard lock(mutex_);
  if (phase_ != Phase::streaming || !wake_ || bytes.empty()) return;
  pending_ += bytes.size();
  if (pending_ > kMostPending / 2) above_ = true;
  taken_.pieces.push_back(std::move(bytes));
  wake_locked();
}

void Answer::end() {
  const std::lock_guard lock(mutex_);
  if (phase_ != Phase::streaming) return;
  phase_ = Phase::ended;
  taken_.ended = true;
  wake_locked();
}

void Answer::abandon() {
  const std::lock_guard lock(mutex_);
  if (phase_ == Phase::ended) return;
  phase_ = Phase::ended;
  taken_.ended = taken_.abandoned = true;
  wake_locked();
}

void Answer::on_change(std::function<void()> changed) {
  const std::lock_guard calls(calls_);
  changed_ = changed ? std::make_shared<std::function<void()>>(std::move(changed)) : nullptr;
  if (gone_) call();
}

void Answer::call() {
  const std::lock_guard calls(calls_);
  const auto changed = changed_;  // it may replace itself
  if (changed) (*changed)();
}

Answer::Taken Answer::take() {
  const std::lock_guard lock(mutex_);
  woken_ = false;
  return std::exchange(taken_, Taken{});
}

void Answer::sent(size_t bytes) {
  bool fell = false;
  {
    const std::lock_guard lock(mutex_);
    pending_ -= bytes;
    fell = above_ && pending_ <= kMostPending / 2;
    if (fell) above_ = false;
  }
  if (fell) call();
}

void Answer::leave(bool gone) {
  std::function<void()> wake;
  Taken dropped;
  {
    const std::lock_guard lock(mutex_);
    wake = std::exchange(wake_, nullptr);
    dropped = std::exchange(taken_, Taken{});
    pending_ = 0;
  }
  if (!gone) return;
  const std::lock_guard calls(calls_);
  gone_ = true;
  call();
}

namespace {

class AnswerExchange final : public Exchange {
 public:
  explicit AnswerExchange(std::shared_ptr<Answer> answer) : answer_(std::move(answer)) {}
  ~AnswerExchange() override {
    answer_->on_change({});
    answer_->abandon();
  }

  const Request& request() const override { return answer_->request(); }
  void respond(Response response) override { answer_->respond(std::move(response)); }
  void begin(Response head) override { answer_->begin(std::move(head)); }
  void write(std::string bytes) override { answer_->write(std::move(bytes)); }
  void end() override { answer_->end(); }
  size_t pending() const override { return answer_->pending(); }
  bool gone() const override { return answer_->gone(); }
  void on_change(std::function<void()> changed) override { answer_->on_change(std::move(changed)); }

 private:
  std::shared_ptr<Answer> answer_;
};

}  // namespace

std::shared_ptr<Exchange> make_exchange(std::shared_ptr<Answer> answer) {
  return std::make_shared<AnswerExchange>(std::move(answer));
}

}  // namespace galago::http
