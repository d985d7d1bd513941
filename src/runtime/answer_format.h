// The form that one answer has to have, as the loop uses it. In: tokens that were chosen. Out: the tokens
// that may come next.
#pragma once

#include <deque>
#include <future>
#include <memory>
#include <optional>
#include <vector>

#include "runtime/task_pool.h"
#include "structured/constraint.h"

namespace galago {

/// Calls come one after the other.
class AnswerFormatState {
 public:
  AnswerFormatState(std::shared_ptr<Constraint> constraint, int64_t vocab_size, TaskPool& pool);

  /// Begins to work out the mask of the next token: beside the decoder, when the last ones took long enough
  /// to be worth a thread's waking, else when it is asked for.
  void prepare();
  /// That mask, empty when every token may come; waits for it. Valid until the next prepare(). Passes on what
  /// the constraint throws.
  std::span<const uint32_t> mask();
  void accept(int32_t id) { constraint_->accept(id); }
  bool complete() const { return constraint_->complete(); }

  /// The next of the tokens that are certain to come; none when the logits have to say.
  std::optional<int32_t> next_forced();
  /// After tokens were accepted: what is certain now, or the mask is begun. True when tokens are certain.
  bool look_ahead();

 private:
  struct Filled {
    bool says = false;  // the mask: not every token may come
    double ms = 0;
  };
  static Filled fill(Constraint& constraint, std::vector<uint32_t>& mask);

  std::shared_ptr<Constraint> constraint_;
  TaskPool& pool_;
  std::shared_ptr<std::vector<uint32_t>> mask_;
  std::future<Filled> filled_;  // of a thread beside the decoder; none: not begun
  double fill_ms_ = 1;          // as the last one took
  std::deque<int32_t> forced_;
};

}  // namespace galago
