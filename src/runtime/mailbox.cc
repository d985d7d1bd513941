// A queue with two ends and a lock.
#include "runtime/mailbox.h"

#include <algorithm>
#include <utility>

namespace galago {
namespace {

// A wait may be longer than the clock can say; nobody tells an hour from more.
constexpr double kLongestMs = 3'600'000;

}  // namespace

void Alarm::ring() {
  const std::lock_guard lock(mutex_);
  ringing_ = true;
  rang_.notify_one();
}

void Alarm::wait(double ms) {
  std::unique_lock lock(mutex_);
  const auto rung = [this] { return ringing_; };
  if (ms < 0)
    rang_.wait(lock, rung);
  else
    rang_.wait_for(lock, std::chrono::duration<double, std::milli>(std::min(ms, kLongestMs)), rung);
  ringing_ = false;
}

Mailbox::Mailbox(int64_t capacity, std::shared_ptr<Alarm> alarm, std::function<void()> notify)
    : capacity_(capacity), alarm_(std::move(alarm)), notify_(std::move(notify)) {}

void Mailbox::report(const Progress& progress) {
  {
    const std::lock_guard lock(mutex_);
    progress_ = progress;
    changed_.notify_one();
  }
  notify();
}

bool Mailbox::put(const StreamPiece& piece) {
  {
    const std::lock_guard lock(mutex_);
    MailedPiece mailed{.text = std::string(piece.text), .token_id = piece.token_id};
    if (piece.logprobs != nullptr) mailed.logprobs = *piece.logprobs;
    pieces_.push_back(std::move(mailed));
    full_ |= std::ssize(pieces_) >= capacity_;
    changed_.notify_one();
  }
  notify();
  return !cancelled();
}

bool Mailbox::has_room() const {
  const std::lock_guard lock(mutex_);
  return !full_;
}

void Mailbox::end(MailedEnd end) {
  {
    const std::lock_guard lock(mutex_);
    end_ = std::move(end);
    changed_.notify_all();
  }
  notify();
}

void Mailbox::notify() const {
  if (!notify_) return;
  try {
    notify_();
  } catch (...) {  // of one reader, and the thread is everybody's
  }
}

bool Mailbox::any() const { return progress_ || !pieces_.empty() || end_; }

Mailbox::News Mailbox::take() {
  News news;
  news.progress = std::exchange(progress_, std::nullopt);
  if (!pieces_.empty()) {
    news.piece = std::move(pieces_.front());
    pieces_.pop_front();
  }
  news.ended = pieces_.empty() && !news.piece && end_.has_value();
  if (full_ && std::ssize(pieces_) <= capacity_ / 2) {
    full_ = false;
    alarm_->ring();
  }
  return news;
}

Mailbox::News Mailbox::next() {
  std::unique_lock lock(mutex_);
  changed_.wait(lock, [this] { return any(); });
  return take();
}

Mailbox::News Mailbox::poll() {
  const std::lock_guard lock(mutex_);
  return take();
}

void Mailbox::cancel() {
  {
    const std::lock_guard lock(mutex_);
    cancelled_ = true;
    if (end_) return;
  }
  alarm_->ring();
}

MailedEnd Mailbox::take_end() {
  std::unique_lock lock(mutex_);
  changed_.wait(lock, [this] { return end_.has_value(); });
  return *std::exchange(end_, MailedEnd{});
}

}  // namespace galago
