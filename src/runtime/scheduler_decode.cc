// A round's tokens: one call for everybody, in which guesses at further tokens are tried. The sampler chooses
// as if there were none: it is given the logits behind the tokens that it chose, one after the other, and
// guesses that it did not choose are taken back. The last chosen token of an answer is never run through the
// model: nobody would read its logits.
#include <algorithm>
#include <exception>
#include <utility>

#include "runtime/scheduler_loop.h"
#include "runtime/scheduler_member.h"

namespace galago {
namespace {

// Tokens of one answer that go through the decoder in one call, known beforehand or guessed. Of more, the
// attention of neighbouring rows is computed in tiles (kernels/cpu/attention.cc: kFewestTileRows), which add
// in another order than a row alone.
constexpr int64_t kMostTokens = 7;

}  // namespace

bool SchedulerLoop::decode() {
  deciding_.clear();
  for (const auto& one : members_) {
    if (!one->seated || one->ended || one->stage != Member::Stage::tokens) continue;
    one->feeding = std::min(std::ssize(one->chosen) - one->fed, kMostTokens);
    one->guessed.clear();
    if (!one->work->has_room())  // its reader is slow: it keeps what it has, and its seat is free
      leave_seat(*one);
    else if (grow(*one, one->feeding))
      deciding_.push_back(one.get());
  }
  if (deciding_.empty()) return false;
  add_guesses();
  next_.clear();
  for (const Member* one : deciding_) {
    for (int64_t i = 0; i < one->feeding; ++i)
      next_.push_back({one->sequence->number, one->chosen[static_cast<size_t>(one->fed + i)]});
    for (const int32_t id : one->guessed) next_.push_back({one->sequence->number, id});
  }
  if (next_.empty()) return true;  // those that guessed have ended
  try {
    decode_together();
  } catch (...) {  // the call was everybody's
    for (Member* one : deciding_) end(*one, std::current_exception());
  }
  return true;
}

// The likeliest guesses first, as long as they are likelier right than a row costs, and the rows are few:
// then a row gives the same whatever stands beside it.
void SchedulerLoop::add_guesses() {
  struct Offer {
    Member* one;
    std::span<const Guess> guesses;
    double chance = 0;  // that all up to the next one are right
  };
  int64_t left = kernels::kFewRows;
  for (const Member* one : deciding_) left -= one->feeding;
  std::vector<Offer> offers;
  for (Member* one : deciding_) {
    const int64_t most =
        std::min({left, kMostTokens - one->feeding, one->budget - std::ssize(one->chosen) - 1});
    if (!one->drafter || most <= 0 || one->fed + one->feeding < std::ssize(one->chosen)) continue;
    try {
      const std::span<const Guess> guesses = one->drafter->guess(most);
      if (!guesses.empty()) offers.push_back({one, guesses, guesses.front().chance});
    } catch (...) {
      end(*one, std::current_exception());
    }
  }
  std::erase_if(deciding_, [](const Member* one) { return one->ended; });
  const double worth = costs_.worth(std::ssize(deciding_));
  while (left > 0) {
    const auto best = std::ranges::max_element(offers, {}, &Offer::chance);
    if (best == offers.end() || best->chance <= worth) return;
    Member& one = *best->one;
    const size_t next = one.guessed.size();
    if (!has_room_for_guess(one)) {
      offers.erase(best);
      continue;
    }
    one.guessed.push_back(best->guesses[next].id);
    best->chance *= next + 1 < best->guesses.size() ? best->guesses[next + 1].chance : 0;
    --left;
  }
}

// Takes another page where one is free; nobody gives one up for a guess.
bool SchedulerLoop::has_room_for_guess(Member& one) {
  const int64_t positions = one.length() + one.fed + one.feeding + std::ssize(one.guessed) + 1;
  if (positions <= one.room) return true;
  if (limits_.memory_bytes > 0 && used() + pages_.bytes > limits_.memory_bytes) return false;
  try {
    model_.grow(one.sequence->number, positions);
    one.room = pages_.pages(positions) * pages_.positions;
    return true;
  } catch (const std::exception&) {  // no memory: a guess is worth no fault
    return false;
  }
}

void SchedulerLoop::decode_together() {
  const double begin = now_();
  const ConstMatrix logits = model_.decode(next_);
  costs_.add(std::ssize(next_), now_() - begin);
  int64_t row = 0;
  for (Member* one : deciding_) {
    const int64_t rows = one->feeding + std::ssize(one->guessed);
    take_rows(*one, logits.slice_rows(row, rows));
    row += rows;
  }
}

// The logits behind a token that was chosen choose the next one. If a guess was just that, its row has the
// logits behind it.
void SchedulerLoop::take_rows(Member& one, ConstMatrix rows) {
  one.fed += one.feeding;
  one.drafted += std::ssize(one.guessed);
  int64_t row = one.feeding - 1;
  size_t right = 0;
  while (!one.ended && one.fed == std::ssize(one.chosen)) {
    take(one, {rows.row(row), static_cast<size_t>(rows.cols)});
    const auto comes = [&] {
      return !one.ended && right < one.guessed.size() && one.fed < std::ssize(one.chosen) &&
             one.chosen[static_cast<size_t>(one.fed)] == one.guessed[right];
    };
    for (; comes(); ++right, ++one.fed, ++one.accepted) ++row;
  }
  if (!one.ended) forget_guesses(one);
}

// What of them is in the cache and was not chosen.
void SchedulerLoop::forget_guesses(Member& one) {
  if (one.guessed.empty()) return;
  one.guessed.clear();
  if (one.sequence) model_.cut(one.sequence->number, one.length() + one.fed);
}

void SchedulerLoop::take(Member& one, std::span<const float> logits) {
  try {
    choose(one, logits);
  } catch (...) {
    end(one, std::current_exception());
  }
}

// Tokens that a format makes certain go through the decoder together, unless their scores are wanted.
void SchedulerLoop::choose(Member& one, std::span<const float> logits) {
  std::optional<int32_t> token = one.format ? one.format->next_forced() : std::nullopt;
  if (!token)
    token = one.sampler->next(logits, one.format ? one.format->mask() : std::span<const uint32_t>());
  const auto& top = one.request().options.logprobs;
  if (one.wants_scores()) {
    const RowScores row(logits);
    const TokenScore score = row.of(*token);
    one.logprobs.push_back(score.logprob);
    one.margins.push_back(score.margin);
    if (top) one.tokens.push_back(logprobs_of(row, *token, *top, one.work->text()));
  }
  if (!advance(one, *token, top ? &one.tokens.back() : nullptr) || !one.format) return;
  while (one.format->look_ahead() && !one.wants_scores())
    while ((token = one.format->next_forced()))
      if (!advance(one, *token, nullptr)) return;
}

// False when its answer has ended.
bool SchedulerLoop::advance(Member& one, int32_t token, const TokenLogprobs* logprobs) {
  one.chosen.push_back(token);
  if (one.chosen.size() == 1) one.timings.first_token_ms = now_() - one.added_ms;
  bool more = one.answer->push(token, logprobs) && std::ssize(one.chosen) < one.budget;
  if (one.format && !one.answer->ended()) {
    one.format->accept(token);
    if (one.format->complete() && one.request().end_ids.empty()) {
      one.answer->complete();
      more = false;
    }
  }
  if (!more) {
    end(one, nullptr);
    return false;
  }
  one.sampler->observe({&token, 1});
  if (one.drafter) one.drafter->observe(token);
  return true;
}

}  // namespace galago
