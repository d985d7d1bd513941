// Who is in work, who waits and who ends. One list of members in the order of their turn; where each is, its
// fields say. Memory is counted as it is used, so that nothing is set apart for tokens that never come; when
// it runs out, the one whose turn is last is put back, and is read and fed once more later.
#include <algorithm>
#include <string>
#include <utility>

#include "galago/error.h"
#include "runtime/options.h"
#include "runtime/scheduler_loop.h"
#include "runtime/scheduler_member.h"

namespace galago {
namespace {

// What a step of priority is worth in waiting: so nobody waits for ever behind more important ones.
constexpr double kPriorityMs = 10'000;

}  // namespace

void SchedulerLoop::add(std::shared_ptr<Work> work) {
  auto one = std::make_unique<Member>();
  const Turn turn = work->turn();
  const GenerateRequest& request = work->request();
  one->work = std::move(work);
  one->number = next_number_++;
  one->added_ms = now_();
  one->turn = one->added_ms - turn.priority * kPriorityMs;
  one->deadline = turn.deadline;
  one->budget = token_budget(std::ssize(request.ids), model_.context_length(), new_tokens(request.options));
  const auto place = std::upper_bound(members_.begin(), members_.end(), one,
                                      [](const auto& a, const auto& b) { return a->turn < b->turn; });
  members_.insert(place, std::move(one));
}

double SchedulerLoop::next_deadline() const {
  double next = -1;
  for (const auto& one : members_)
    if (one->deadline >= 0 && (next < 0 || one->deadline < next)) next = one->deadline;
  return next;
}

void SchedulerLoop::cancel_all() {
  for (const auto& one : members_) cancel(*one);
  sweep();
}

void SchedulerLoop::fail_all(const std::exception_ptr& error) {
  for (const auto& one : members_) end(*one, error);
  sweep();
}

void SchedulerLoop::cancel(Member& one) {
  if (one.answer && !one.ended) one.answer->cancel();
  end(one, nullptr);
}

void SchedulerLoop::end_unwanted() {
  const double now = now_();
  for (const auto& one : members_) {
    if (one->work->cancelled()) {
      cancel(*one);
    } else if (one->deadline >= 0 && now >= one->deadline) {
      const auto waited = static_cast<int64_t>(now - one->added_ms);
      end(*one, std::make_exception_ptr(
                    Error(ErrorCode::timeout, {"request", "no end after " + std::to_string(waited) + " ms",
                                               "an answer within its timeout"})));
    }
  }
  sweep();
}

// In the order of their turn: whoever finds no room lets nobody pass, so that large ones come to their turn.
// Those whose reader takes nothing are passed over.
void SchedulerLoop::admit() {
  for (const auto& one : members_) {
    if (one->seated || one->ended || !one->work->has_room() || waits_for_group(*one)) continue;
    if (seats_ >= limits_.sequences || !make_room(needed(*one), *one, false)) return;
    try {
      take_seat(*one);
    } catch (...) {
      end(*one, std::current_exception());
    }
  }
}

// Bytes that must be free for it to go on.
int64_t SchedulerLoop::needed(const Member& one) const {
  if (one.sequence) return 0;
  // One that had to give its memory back comes again when all that it can need is there.
  const int64_t positions = one.put_back ? one.most_positions() : one.known_positions();
  return (one.started ? 0 : one.work->bytes()) + pages_.pages(positions) * pages_.bytes;
}

void SchedulerLoop::take_seat(Member& one) {
  one.seated = changed_ = true;
  ++seats_;
  if (one.sequence) return;
  one.promised = pages_.pages(one.known_positions()) * pages_.bytes;
  prepare(one);
  if (one.started) return;
  one.started = true;
  one.stage = Member::Stage::pictures;
  one.work->start();
}

// For the first token of its answer.
void SchedulerLoop::prepare(Member& one) {
  if (one.sampler) return;
  const GenerateRequest& request = one.request();
  one.sampler.emplace(request.options, model_.vocab_size(), request.rules, request.ids);
  one.on_piece = [work = one.work.get()](const StreamPiece& piece) { return work->piece(piece); };
  one.answer.emplace(AnswerRules{.end_ids = request.end_ids,
                                 .stop_ids = request.stop_ids,
                                 .stop = request.options.stop,
                                 .on_piece = &one.on_piece,
                                 .keep_end = request.options.keep_special.value_or(false)},
                     one.work->text());
  const Draft& draft = request.options.draft;
  if (request.draft_texts || draft.answer || draft.source)
    one.drafter.emplace(draft, request.draft_texts, model_.vocab_size());
  if (request.constraint) one.format.emplace(request.constraint, model_.vocab_size(), formats_);
}

// Whether another one reads the same prompt for it.
bool SchedulerLoop::waits_for_group(const Member& one) const {
  if (one.work->prompt_group() == nullptr || !one.untouched()) return false;
  return std::ranges::any_of(members_, [&one](const auto& other) {
    return other.get() != &one && other->work->prompt_group() == one.work->prompt_group() && !other->ended &&
           other->chosen.empty() && (other->started || other->number < one.number);
  });
}

void SchedulerLoop::leave_seat(Member& one) {
  if (!std::exchange(one.seated, false)) return;
  --seats_;
  changed_ = true;
}

int64_t SchedulerLoop::used() const {
  int64_t bytes = model_.bytes_in_use();
  for (const auto& one : members_) bytes += (one->started ? one->work->bytes() : 0) + one->promised;
  return bytes;
}

bool SchedulerLoop::make_room(int64_t bytes, const Member& for_whom, bool unseat) {
  if (limits_.memory_bytes == 0) return true;
  for (;;) {
    const int64_t missing = used() + bytes - limits_.memory_bytes;
    if (missing <= 0) return true;
    if (model_.drop_kept(missing) > 0) continue;
    Member* const last = victim(for_whom, unseat);
    // What nobody here holds is kept, and read by requests of another scheduler: no use waiting for it.
    if (last == nullptr) return !others_hold(for_whom);
    put_back(*last);
  }
}

// Who gives memory back first: of those that are not in work, the last; then, if that is asked for, the last
// of those whose turn is later than for_whom's.
SchedulerLoop::Member* SchedulerLoop::victim(const Member& for_whom, bool unseat) {
  for (auto one = members_.rbegin(); one != members_.rend(); ++one)
    if (one->get() != &for_whom && !(*one)->ended && !(*one)->seated && ((*one)->sequence || (*one)->started))
      return one->get();
  if (!unseat || members_.empty()) return nullptr;
  for (auto one = members_.rbegin(); one->get() != &for_whom; ++one)
    if ((*one)->seated && !(*one)->ended) return one->get();
  return nullptr;
}

bool SchedulerLoop::others_hold(const Member& one) const {
  return std::ranges::any_of(members_, [&](const auto& other) {
    return other.get() != &one && !other->ended && (other->seated || other->sequence || other->started);
  });
}

// Keys and values go first; the rows of a prompt, which are dear to make and small, when it has no others.
void SchedulerLoop::put_back(Member& one) {
  if (one.sequence) {
    model_.close(one.sequence->number);
    one.sequence.reset();
    one.read = one.fed = one.room = 0;
    one.stage = Member::Stage::prompt;
  } else if (!one.seated || one.stage == Member::Stage::pictures) {
    one.work->release();
    one.started = false;
    one.stage = Member::Stage::pictures;
  }
  one.promised = 0;
  one.put_back = true;
  leave_seat(one);
}

// Room for `count` more positions; false when it had to be put back, or has ended.
bool SchedulerLoop::grow(Member& one, int64_t count) {
  const int64_t positions = one.length() + one.fed + count;
  if (positions <= one.room) return true;
  // At least one: a page that others hold too is copied.
  const int64_t pages = std::max<int64_t>(1, pages_.pages(positions) - pages_.pages(one.length() + one.fed));
  if (!make_room(pages * pages_.bytes, one, true)) {
    put_back(one);
    return false;
  }
  try {
    model_.grow(one.sequence->number, positions);
    one.room = pages_.pages(positions) * pages_.positions;
    return true;
  } catch (...) {
    end(one, std::current_exception());
    return false;
  }
}

void SchedulerLoop::end(Member& one, std::exception_ptr error) {
  if (std::exchange(one.ended, true)) return;
  forget_guesses(one);
  if (one.sequence) model_.close(one.sequence->number);
  one.sequence.reset();
  one.promised = 0;
  one.started = false;
  leave_seat(one);
  // What a caller's own functions hold goes before the reader is told: it may be the model, and the last to
  // let go of that must not be this thread.
  one.sampler.reset();
  one.drafter.reset();
  if (error) return one.work->fail(std::move(error));
  try {
    Generation out = one.answer ? one.answer->finish() : Generation{};
    if (!one.answer) out.finish_reason = FinishReason::cancelled;
    const auto tokens = std::ssize(one.chosen);
    if (tokens > 0) one.timings.decode_ms = now_() - one.added_ms - one.timings.first_token_ms;
    if (one.timings.decode_ms > 0)  // the first token came with the prompt
      one.timings.tokens_per_second = static_cast<double>(tokens - 1) * 1000 / one.timings.decode_ms;
    out.timings = one.timings;
    out.logprobs = std::move(one.logprobs);
    out.margins = std::move(one.margins);
    out.tokens = std::move(one.tokens);
    out.prompt_tokens = std::move(one.prompt_tokens);
    out.usage.prompt_tokens = one.length();
    out.usage.image_tokens = one.request().image_tokens;
    out.usage.cached_tokens = one.cached_tokens;
    out.usage.drafted_tokens = one.drafted;
    out.usage.accepted_tokens = one.accepted;
    one.work->end(std::move(out));
  } catch (...) {
    one.work->fail(std::current_exception());
  }
}

void SchedulerLoop::sweep() {
  std::erase_if(members_, [](const auto& one) { return one->ended; });
}

}  // namespace galago
