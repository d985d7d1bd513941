// See the header.
#include "ask.h"

#include <unistd.h>

#include <utility>
#include <vector>

#include "bindings.h"
#include "interruptible.h"
#include "model_handle.h"

namespace galago::python {
namespace {

struct OwnedPiece {
  std::string text;
  int32_t token_id;
  std::optional<TokenLogprobs> logprobs;
};

}  // namespace

Ask::Ask(Handle handle, std::shared_ptr<Bell> bell)
    : owner_(getpid()), bell_(std::move(bell)), handle_(std::move(handle)) {}

Ask::~Ask() {
  if (getpid() == owner_) return;
  new std::optional<Handle>(std::move(handle_));  // another thread may have held its locks at the fork
  new std::shared_ptr<Bell>(std::move(bell_));
}

nb::list Ask::pieces() {
  check_process(owner_, "an answer of galago.Model");
  std::vector<OwnedPiece> found;
  {
    const std::lock_guard lock(mutex_);
    while (const auto piece = handle_->poll()) {
      if (piece->text.empty() && !piece->logprobs) continue;
      found.push_back({std::string(piece->text), piece->token_id, {}});
      if (piece->logprobs) found.back().logprobs = *piece->logprobs;
    }
  }
  nb::list all;
  for (const OwnedPiece& piece : found)
    all.append(piece_dict({.text = piece.text,
                           .token_id = piece.token_id,
                           .logprobs = piece.logprobs ? &*piece.logprobs : nullptr}));
  return all;
}

bool Ask::drain() {
  check_process(owner_, "an answer of galago.Model");
  const std::lock_guard lock(mutex_);
  while (handle_->poll()) {
  }
  return handle_->ended();
}

bool Ask::ended() const {
  const std::lock_guard lock(mutex_);
  return handle_->ended();
}

void Ask::wait() {
  check_process(owner_, "an answer of galago.Model");
  const nb::gil_scoped_release unlocked;
  try {
    auto looked = std::chrono::steady_clock::now();
    while (!drain()) {
      bell_->wait(kBetweenSignals);
      bell_->take();
      const auto now = std::chrono::steady_clock::now();
      if (now - looked < kBetweenSignals / 2) continue;
      looked = now;
      check_signals();
    }
  } catch (...) {
    cancel();
    throw;
  }
}

void Ask::cancel() {
  check_process(owner_, "an answer of galago.Model");
  handle_->cancel();
}

nb::dict Ask::answer() {
  check_process(owner_, "an answer of galago.Model");
  std::optional<Answer> answer;
  {
    const std::lock_guard lock(mutex_);
    if (!handle_->ended())
      throw Error(ErrorCode::usage, {.where = "an answer of galago.Model",
                                     .got = "one that has not ended",
                                     .expected = "pieces to be read to the end first"});
    if (std::exchange(taken_, true))
      throw Error(ErrorCode::usage,
                  {.where = "an answer of galago.Model", .got = "a second look", .expected = "one"});
    answer = handle_->wait();
  }
  return answer_dict(*answer);
}

}  // namespace galago::python
