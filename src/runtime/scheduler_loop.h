// The loop that answers requests side by side. In: requests, at any time. Out: their answers, token by token.
// A round encodes a piece of a picture, reads a piece of a prompt and decodes one token for everybody who is
// that far. What one is told does not depend on who else is there, bit for bit (with kept beginnings of
// prompts: but for rounding). docs/scheduling.md teaches it.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <vector>

#include "kernels/kernels.h"
#include "runtime/call_costs.h"
#include "runtime/task_pool.h"
#include "runtime/work.h"

namespace galago {

/// Rows of a prompt that go through the decoder in one call where the request does not say: a prompt is cut
/// at multiples of it, wherever the others are.
inline constexpr int64_t kPrefillChunk = 512;
/// Rows that a chunk is cut into at least while others wait for their next token. More than few rows on both
/// sides of a cut: then it changes no bit.
inline constexpr int64_t kPromptPiece = 64;
static_assert(kPromptPiece > kernels::kFewRows);

/// How much is worked on at once; what is more waits for its turn.
struct LoopLimits {
  int64_t sequences = 8;     ///< in work at a time, at least 1
  int64_t memory_bytes = 0;  ///< of all that requests in work hold; 0: no limit
  double max_gap_ms =
      200;  ///< that pieces of other requests may put between two tokens; one piece always may
  int64_t step_tokens = 512;  ///< rows of prompts that are read between two tokens; one piece always is
};

/// Not thread-safe, but for check().
class SchedulerLoop {
 public:
  /// Milliseconds of a clock that never goes back.
  using Now = std::function<double()>;

  /// `model` must outlive it. Error{usage} for limits out of their range.
  SchedulerLoop(CausalModel& model, const LoopLimits& limits, Now now);
  /// Whatever has not ended is cancelled.
  ~SchedulerLoop();
  SchedulerLoop(const SchedulerLoop&) = delete;
  SchedulerLoop& operator=(const SchedulerLoop&) = delete;

  /// Error{usage} for its options, Error{input_invalid} for an empty prompt, Error{input_too_large} for one
  /// that leaves no room in the context or needs more than memory_bytes alone, the errors of choose_way.
  void check(const Work& work) const;
  /// One that was checked joins those that wait.
  void add(std::shared_ptr<Work> work);
  /// One round. False when there is nothing to do until something changes: one is added, cancelled or read
  /// from, a picture is ready, or a deadline passes.
  bool step();

  /// Ends all, with what they have so far.
  void cancel_all();
  /// Ends all by a fault that is nobody's own.
  void fail_all(const std::exception_ptr& error);

  /// Requests that have not ended.
  int64_t size() const { return std::ssize(members_); }
  /// Of the clock, when the first of them fails; below 0: never.
  double next_deadline() const;

 private:
  struct Member;
  using Members = std::vector<std::unique_ptr<Member>>;

  // Who comes and goes.
  void end_unwanted();
  void admit();
  void take_seat(Member& one);
  void prepare(Member& one);
  bool waits_for_group(const Member& one) const;
  void leave_seat(Member& one);
  void cancel(Member& one);
  void end(Member& one, std::exception_ptr error);
  void sweep();
  // Memory.
  int64_t used() const;
  int64_t needed(const Member& one) const;
  bool make_room(int64_t bytes, const Member& for_whom, bool unseat);
  Member* victim(const Member& for_whom, bool unseat);
  bool others_hold(const Member& one) const;
  void put_back(Member& one);
  bool grow(Member& one, int64_t count);
  // A round's work.
  bool encode_pictures(double until, bool worked);
  bool encode_piece(Member& one);
  bool prefill(double until, bool worked);
  int64_t piece_rows(const Member& one, double until) const;
  void prefill_piece(Member& one, int64_t rows);
  void open(Member& one);
  bool decode();
  void add_guesses();
  bool has_room_for_guess(Member& one);
  void decode_together();
  void take_rows(Member& one, ConstMatrix rows);
  void forget_guesses(Member& one);
  void share_prompt(Member& one, std::span<const float> logits);
  RowLogits prompt_scores(Member& one) const;
  void take(Member& one, std::span<const float> logits);
  void choose(Member& one, std::span<const float> logits);
  bool advance(Member& one, int32_t token, const TokenLogprobs* logprobs);

  CausalModel& model_;
  const LoopLimits limits_;
  const Now now_;
  const PageSizes pages_;
  Members members_;  // by their turn
  int64_t next_number_ = 0;
  int64_t seats_ = 0;    // taken
  double piece_ms_ = 0;  // of work on pictures, as the last ones took
  double row_ms_ = 0;    // of a prompt
  bool pictures_first_ = true;
  bool changed_ = false;           // seats changed hands in this round
  std::vector<Member*> deciding_;  // those that decode in this round
  std::vector<NextToken> next_;    // their tokens, one or several of each
  CallCosts costs_;                // of calls that decode
  TaskPool formats_{1};            // where masks are worked out
};

}  // namespace galago
