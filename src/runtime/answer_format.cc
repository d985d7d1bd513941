// The task holds constraint and mask itself: the answer may end before it is done.
#include "runtime/answer_format.h"

#include <utility>

#include "core/clock.h"

namespace galago {
namespace {

// Waking a thread that takes a core from the decoder costs about as much.
constexpr double kWorthAThreadMs = 0.1;

}  // namespace

AnswerFormatState::AnswerFormatState(std::shared_ptr<Constraint> constraint, int64_t vocab_size,
                                     TaskPool& pool)
    : constraint_(std::move(constraint)),
      pool_(pool),
      mask_(std::make_shared<std::vector<uint32_t>>(static_cast<size_t>(mask_words(vocab_size)))) {
  prepare();
}

AnswerFormatState::Filled AnswerFormatState::fill(Constraint& constraint, std::vector<uint32_t>& mask) {
  const Clock clock;
  const bool says = constraint.fill(mask);
  return {.says = says, .ms = clock.ms()};
}

void AnswerFormatState::prepare() {
  if (fill_ms_ < kWorthAThreadMs) return;
  auto promise = std::make_shared<std::promise<Filled>>();
  filled_ = promise->get_future();
  pool_.add([constraint = constraint_, mask = mask_, promise] {
    try {
      promise->set_value(fill(*constraint, *mask));
    } catch (...) {
      promise->set_exception(std::current_exception());
    }
  });
}

std::span<const uint32_t> AnswerFormatState::mask() {
  const Filled filled = filled_.valid() ? filled_.get() : fill(*constraint_, *mask_);
  fill_ms_ = filled.ms;
  if (!filled.says) return {};
  return *mask_;
}

std::optional<int32_t> AnswerFormatState::next_forced() {
  if (forced_.empty()) return std::nullopt;
  const int32_t id = forced_.front();
  forced_.pop_front();
  return id;
}

bool AnswerFormatState::look_ahead() {
  if (!forced_.empty()) return true;
  const std::vector<int32_t> certain = constraint_->forced();
  forced_.assign(certain.begin(), certain.end());
  if (forced_.empty()) prepare();
  return !forced_.empty();
}

}  // namespace galago
