// See the header.
#include "server/api/answer_job.h"

#include <utility>

#include "server/api/answer_json.h"
#include "server/api/json_response.h"

namespace galago::server {
namespace {

constexpr auto kSilence = std::chrono::seconds(10);

void forget_what_was_said(Answer& answer) {
  answer.text.clear();
  answer.token_ids.clear();
  answer.tokens.clear();
  answer.usage.completion_tokens = 0;
  answer.finish_reason = FinishReason::length;
}

double seconds(std::chrono::steady_clock::duration time) {
  return std::chrono::duration<double>(time).count();
}

}  // namespace

AnswerJob::AnswerJob(std::shared_ptr<Call> call, std::unique_ptr<AnswerWriter> writer, bool stream,
                     TaskPool& pool, Metrics& metrics)
    : call_(std::move(call)), writer_(std::move(writer)), stream_(stream), pool_(pool), metrics_(metrics) {}

void AnswerJob::submit(std::vector<AnswerCall> calls) {
  const auto wake = [self = shared_from_this()] { self->schedule(); };  // until leave() lets the handles go
  {
    std::vector<One> ones;
    std::string model;
    for (AnswerCall& call : calls) {
      model = call.model->name();
      for (Handle& handle : call.model->scheduler->submit_n(std::move(call.request), call.n, wake))
        ones.push_back({.handle = std::move(handle), .silent = call.silent});
    }
    const std::lock_guard lock(mutex_);
    if (over_) return;  // stopped meanwhile: the handles that go away cancel
    ones_ = std::move(ones);
    model_ = std::move(model);
    call_->exchange().on_change(wake);
  }
  schedule();
}

void AnswerJob::stop(const ApiError& error) {
  {
    const std::lock_guard lock(mutex_);
    if (!stop_) stop_ = error;
  }
  turn();
}

void AnswerJob::keep_alive() {
  {
    const std::lock_guard lock(mutex_);
    if (over_ || ones_.empty()) return;
    if (stream_ && Clock::now() - said_ >= kSilence) waking_ = true;
    if (!missed_.exchange(false) && !waking_) return;
  }
  schedule();
}

void AnswerJob::schedule() {
  if (over_ || scheduled_.exchange(true)) return;
  try {
    pool_.add([self = shared_from_this()] {
      self->scheduled_ = false;
      self->turn();
    });
  } catch (...) {  // neither a thread nor memory now: keep_alive() tries again
    missed_ = true;
    scheduled_ = false;
  }
}

void AnswerJob::turn() {
  const std::lock_guard lock(mutex_);
  if (over_) return;
  try {
    if (call_->exchange().gone()) return leave();
    if (stop_) return fail(*stop_);
    if (ones_.empty()) return;  // not submitted yet
    if (stream_ && !opening_) opening_ = writer_->begin();
    std::string out;
    if (std::exchange(waking_, false)) out = ":\n\n";
    for (size_t i = 0; i < ones_.size(); ++i)
      if (!ones_[i].answer) read(i, out);
    if (stream_ && !out.empty()) send(std::move(out));
    for (const One& one : ones_)
      if (!one.answer) return;
    finish();
  } catch (...) {
    try {
      fail(as_api_error(std::current_exception()));
    } catch (...) {  // not even memory for the error: the exchange that goes away says so
      leave();
    }
  }
}

bool AnswerJob::has_room(size_t more) const {
  return !stream_ || call_->exchange().pending() + more < http::kMostPending;
}

void AnswerJob::read(size_t index, std::string& out) {
  One& one = ones_[index];
  const auto number = static_cast<int64_t>(index);
  const size_t answered = out.size();
  while (has_room(out.size())) {
    const std::optional<StreamPiece> piece = one.handle.poll();
    if (const auto progress = one.handle.progress(); progress && progress->tiles_done != tiles_told_) {
      tiles_told_ = progress->tiles_done;
      if (stream_ && !one.spoke) out += writer_->progress(*progress);
    }
    if (!piece) break;
    const Clock::time_point now = Clock::now();
    if (std::exchange(one.spoke, true))
      metrics_.between_tokens.add(seconds(now - one.last));
    else
      metrics_.first_token.add(seconds(now - begin_));
    one.last = now;
    if (stream_ && !one.silent) out += writer_->piece(number, *piece);
  }
  if (!one.handle.ended()) return;
  try {
    one.answer = one.handle.wait();
  } catch (...) {
    if (stream_ && out.size() > answered) send(std::move(out));
    throw;
  }
  if (one.silent) forget_what_was_said(*one.answer);
  metrics_.count_answer(model_, *one.answer);
  call_->note_answer(*one.answer);
  if (stream_) out += writer_->end(number, *one.answer);
}

void AnswerJob::send(std::string bytes) {
  if (!call_->begun()) {
    call_->begin_events();
    bytes.insert(0, *opening_);
  }
  said_ = Clock::now();
  call_->exchange().write(std::move(bytes));
}

void AnswerJob::finish() {
  std::vector<Answer> answers;
  for (One& one : ones_) answers.push_back(std::move(*one.answer));
  if (stream_) {
    send(writer_->finish(answers));
    call_->exchange().end();
  } else {
    call_->respond(json_response(writer_->whole(answers)));
  }
  metrics_.request.add(seconds(Clock::now() - begin_));
  leave();
}

void AnswerJob::fail(const ApiError& error) {
  if (call_->begun()) {
    call_->note_error(error);
    call_->exchange().write(writer_->fail(error));
    call_->exchange().end();
  } else {
    call_->respond(error);
  }
  leave();
}

// Handles that go away cancel what they stand for.
void AnswerJob::leave() {
  over_ = true;
  call_->exchange().on_change({});
  ones_.clear();
}

}  // namespace galago::server
