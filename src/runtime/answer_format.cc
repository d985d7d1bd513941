// The task holds constraint and mask itself: the answer may end before it is done.
#include "runtime/answer_format.h"

#include <utility>

namespace galago {

AnswerFormatState::AnswerFormatState(std::shared_ptr<Constraint> constraint, int64_t vocab_size,
                                     TaskPool& pool)
    : constraint_(std::move(constraint)),
      pool_(pool),
      mask_(std::make_shared<std::vector<uint32_t>>(static_cast<size_t>(mask_words(vocab_size)))) {
  prepare();
}

void AnswerFormatState::prepare() {
  auto promise = std::make_shared<std::promise<bool>>();
  filled_ = promise->get_future();
  pool_.add([constraint = constraint_, mask = mask_, promise] {
    try {
      promise->set_value(constraint->fill(*mask));
    } catch (...) {
      promise->set_exception(std::current_exception());
    }
  });
}

std::span<const uint32_t> AnswerFormatState::mask() {
  if (!filled_.get()) return {};
  return *mask_;
}

std::optional<int32_t> AnswerFormatState::next_forced() {
  if (forced_.empty()) return std::nullopt;
  const int32_t id = forced_.front();
  forced_.pop_front();
  return id;
}

void AnswerFormatState::look_ahead() {
  if (!forced_.empty()) return;
  const std::vector<int32_t> certain = constraint_->forced();
  forced_.assign(certain.begin(), certain.end());
  if (forced_.empty()) prepare();
}

}  // namespace galago
