// A round: pictures, prompts, one token for everybody. The last chosen token of an answer is never run
// through the model: nobody would read its logits.
#include "runtime/scheduler_loop.h"

#include <algorithm>
#include <string>
#include <utility>

#include "galago/error.h"
#include "runtime/options.h"
#include "runtime/scheduler_member.h"

namespace galago {
namespace {

constexpr double kNewest = 0.3;  // weight of the last measurement in a running mean

void update(double& mean, double value) { mean = mean == 0 ? value : mean + kNewest * (value - mean); }

}  // namespace

SchedulerLoop::SchedulerLoop(CausalModel& model, const LoopLimits& limits, Now now)
    : model_(model), limits_(limits), now_(std::move(now)), pages_(model.page_sizes()) {
  const auto require = [](bool holds, const char* where, double got, const char* expected) {
    if (!holds) throw Error(ErrorCode::usage, {where, std::to_string(got), expected});
  };
  require(limits.sequences >= 1, "max_sequences", static_cast<double>(limits.sequences), "at least 1");
  require(limits.memory_bytes >= 0, "max_memory", static_cast<double>(limits.memory_bytes),
          "0 (no limit) or more");
  require(limits.max_gap_ms >= 0, "max_gap_ms", limits.max_gap_ms, "0 or more");
  require(limits.step_tokens >= 1, "step_tokens", static_cast<double>(limits.step_tokens), "at least 1");
}

SchedulerLoop::~SchedulerLoop() { cancel_all(); }

void SchedulerLoop::check(const Work& work) const {
  const GenerateRequest& request = work.request();
  check_options(request.options);
  choose_way(model_.ways(), request.image_tokens);
  const int64_t length = std::ssize(request.ids);
  const int64_t budget = token_budget(length, model_.context_length(), new_tokens(request.options));
  const int64_t bytes = work.bytes() + pages_.pages(length + budget - 1) * pages_.bytes;
  if (limits_.memory_bytes > 0 && bytes > limits_.memory_bytes)
    throw Error(ErrorCode::input_too_large,
                {"memory of prompt, pictures and answer", std::to_string(bytes) + " bytes",
                 "at most " + std::to_string(limits_.memory_bytes),
                 "ask for fewer new tokens, or show fewer or smaller pictures"});
}

bool SchedulerLoop::step() {
  const auto before = std::ssize(members_);
  changed_ = false;
  end_unwanted();
  admit();
  const double until = now_() + limits_.max_gap_ms;
  bool worked = false;
  if (pictures_first_) worked = encode_pictures(until, worked);
  worked |= prefill(until, worked);
  if (!pictures_first_) worked |= encode_pictures(until, worked);
  pictures_first_ = !pictures_first_;
  worked |= decode();
  sweep();
  return worked || changed_ || std::ssize(members_) != before;
}

bool SchedulerLoop::encode_pictures(double until, bool worked) {
  for (const auto& one : members_) {
    if (!one->seated || one->stage != Member::Stage::pictures) continue;
    while (one->stage == Member::Stage::pictures && !one->ended) {
      if (worked && now_() + piece_ms_ > until) return true;
      if (!encode_piece(*one)) break;
      worked = true;
    }
  }
  return worked;
}

// False when its next piece is not ready.
bool SchedulerLoop::encode_piece(Member& one) {
  const double begin = now_();
  try {
    switch (one.work->encode()) {
      case Work::Encoding::waiting:
        return false;
      case Work::Encoding::done:
        one.stage = Member::Stage::prompt;
        break;
      case Work::Encoding::more:
        update(piece_ms_, now_() - begin);
        break;
    }
  } catch (...) {
    end(one, std::current_exception());
  }
  return true;
}

bool SchedulerLoop::prefill(double until, bool worked) {
  int64_t left = limits_.step_tokens;
  for (const auto& one : members_) {
    if (!one->seated || one->stage != Member::Stage::prompt) continue;
    while (one->stage == Member::Stage::prompt && !one->ended && left > 0) {
      try {
        if (!one->sequence) open(*one);
        const int64_t asked = one->request().options.prefill_chunk, length = one->length();
        const int64_t chunk = asked > 0 ? asked : kPrefillChunk;
        const int64_t rows = std::min((one->read / chunk + 1) * chunk, length) - one->read;
        if (worked && now_() + static_cast<double>(rows) * row_ms_ > until) return true;
        prefill_piece(*one, rows);
        left -= rows;
      } catch (...) {
        end(*one, std::current_exception());
      }
      worked = true;
    }
  }
  return worked;
}

// Its sequence, with room for all that is known of it.
void SchedulerLoop::open(Member& one) {
  const Shape expected = {one.length(), model_.hidden_size()};
  const Shape got = {one.work->rows().rows, one.work->rows().cols};
  if (got != expected)
    throw Error(ErrorCode::internal, {"prompt rows", to_string(got), to_string(expected), ""});
  one.sequence = model_.open({one.request().ids, one.work->content()});
  one.read = one.sequence->cached;
  if (one.chosen.empty()) one.cached_tokens = one.read;
  model_.grow(one.sequence->number, one.known_positions());
  one.room = pages_.pages(one.known_positions()) * pages_.positions;
  one.promised = 0;
}

void SchedulerLoop::prefill_piece(Member& one, int64_t rows) {
  const double begin = now_();
  const auto logits = model_.prefill(one.sequence->number, one.work->rows().slice_rows(one.read, rows));
  const double took = now_() - begin;
  one.timings.prefill_ms += took;
  update(row_ms_, took / static_cast<double>(rows));
  one.read += rows;
  if (one.read < one.length()) return;
  one.stage = Member::Stage::tokens;
  if (one.chosen.empty()) choose(one, logits);  // else it was put back, and its tokens are fed once more
}

bool SchedulerLoop::decode() {
  deciding_.clear();
  next_.clear();
  for (const auto& one : members_) {
    if (!one->seated || one->ended || one->stage != Member::Stage::tokens) continue;
    if (!one->work->has_room()) {  // its reader is slow: it keeps what it has, and its seat is free
      leave_seat(*one);
    } else if (grow(*one)) {
      deciding_.push_back(one.get());
      next_.push_back({one->sequence->number, one->chosen[static_cast<size_t>(one->fed)]});
    }
  }
  if (next_.empty()) return false;
  try {
    decode_together();
  } catch (...) {  // the call was everybody's
    for (Member* one : deciding_) end(*one, std::current_exception());
  }
  return true;
}

void SchedulerLoop::decode_together() {
  const ConstMatrix logits = model_.decode(next_);
  for (size_t i = 0; i < deciding_.size(); ++i) {
    Member& one = *deciding_[i];
    if (++one.fed == std::ssize(one.chosen))
      take(one, {logits.row(static_cast<int64_t>(i)), static_cast<size_t>(logits.cols)});
  }
}

void SchedulerLoop::take(Member& one, std::span<const float> logits) {
  try {
    choose(one, logits);
  } catch (...) {
    end(one, std::current_exception());
  }
}

void SchedulerLoop::choose(Member& one, std::span<const float> logits) {
  const int32_t token = one.sampler->next(logits);
  one.chosen.push_back(token);
  if (one.chosen.size() == 1) one.timings.first_token_ms = now_() - one.added_ms;
  if (!one.answer->push(token) || std::ssize(one.chosen) == one.budget)
    end(one, nullptr);
  else
    one.sampler->observe({&token, 1});
}

}  // namespace galago
