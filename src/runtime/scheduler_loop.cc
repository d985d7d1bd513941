// A round: pictures, prompts, a token for everybody (scheduler_decode.cc).
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
  check_token_ids(request.options, model_.vocab_size());
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
        const int64_t rows = piece_rows(*one, until);
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

// What is left of its chunk; while somebody waits for the next token, what can be read of it until then.
int64_t SchedulerLoop::piece_rows(const Member& one, double until) const {
  const int64_t asked = one.request().options.prefill_chunk;
  const int64_t chunk = asked > 0 ? asked : kPrefillChunk;
  const int64_t left = std::min((one.read / chunk + 1) * chunk, one.length()) - one.read;
  const bool waited_for = std::ranges::any_of(
      members_, [](const auto& other) { return other->seated && other->stage == Member::Stage::tokens; });
  if (!waited_for || row_ms_ <= 0) return left;
  const double fitting = std::clamp((until - now_()) / row_ms_, double{kPromptPiece}, double{kPrefillChunk});
  const int64_t rows = static_cast<int64_t>(fitting) / kPromptPiece * kPromptPiece;
  return left - rows < kPromptPiece ? left : rows;
}

// Its sequence, with room for all that is known of it.
void SchedulerLoop::open(Member& one) {
  const Shape expected = {one.length(), model_.hidden_size()};
  const Shape got = {one.work->rows().rows, one.work->rows().cols};
  if (got != expected)
    throw Error(ErrorCode::internal, {"prompt rows", to_string(got), to_string(expected), ""});
  const GenerateOptions& options = one.request().options;
  const bool anew = !options.reuse_prefix || (options.prompt_logprobs && one.chosen.empty());
  one.sequence = model_.open({.ids = one.request().ids, .marks = one.work->content(), .anew = anew});
  one.read = one.sequence->cached;
  if (one.chosen.empty()) one.cached_tokens = one.read;
  model_.grow(one.sequence->number, one.known_positions());
  one.room = pages_.pages(one.known_positions()) * pages_.positions;
  one.promised = 0;
}

void SchedulerLoop::prefill_piece(Member& one, int64_t rows) {
  const double begin = now_();
  const ConstMatrix piece = one.work->rows().slice_rows(one.read, rows);
  const bool scored = one.request().options.prompt_logprobs && one.chosen.empty();
  const auto logits = scored ? model_.prefill(one.sequence->number, piece, prompt_scores(one))
                             : model_.prefill(one.sequence->number, piece);
  const double took = now_() - begin;
  one.timings.prefill_ms += took;
  update(row_ms_, took / static_cast<double>(rows));
  one.read += rows;
  if (one.read < one.length()) return;
  one.stage = Member::Stage::tokens;
  if (!one.chosen.empty()) return;  // it was put back, and its tokens are fed once more
  if (one.work->prompt_group() == nullptr) return choose(one, logits);
  const std::vector<float> kept(logits.begin(), logits.end());  // fork() may move them
  share_prompt(one, kept);
  choose(one, kept);
}

// Those of its group that wait for it begin where it is: with the same pages, and the same logits.
void SchedulerLoop::share_prompt(Member& one, std::span<const float> logits) {
  for (const auto& other : members_) {
    if (other.get() == &one || other->ended || !waits_for_group(*other)) continue;
    if (other->work->prompt_group() != one.work->prompt_group()) continue;
    try {
      prepare(*other);
      other->sequence = {.number = model_.fork(one.sequence->number), .cached = one.length()};
      other->read = other->cached_tokens = one.length();
      other->stage = Member::Stage::tokens;
      one.room = 0;  // the last page has two owners now: whoever writes first copies it
      other->prompt_tokens = one.prompt_tokens;
      choose(*other, logits);
    } catch (...) {
      end(*other, std::current_exception());
    }
  }
}

// A row's logits say how likely the token behind it was; nothing says it of the first.
RowLogits SchedulerLoop::prompt_scores(Member& one) const {
  if (one.prompt_tokens.empty()) {
    one.prompt_tokens.emplace_back().id = one.request().ids.front();
    describe(one.prompt_tokens.back(), one.work->text());
  }
  return [&one, first = one.read](int64_t row, std::span<const float> logits) {
    const int64_t next = first + row + 1;
    if (next >= one.length() || next < std::ssize(one.prompt_tokens)) return;  // one that was put back
    one.prompt_tokens.push_back(logprobs_of(RowScores(logits), one.request().ids[static_cast<size_t>(next)],
                                            *one.request().options.prompt_logprobs, one.work->text()));
  };
}

}  // namespace galago
