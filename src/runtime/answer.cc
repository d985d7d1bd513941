// One answer as it grows. In: token ids. Out: text pieces to the caller's callback, the Generation at the
// end.
#include "runtime/answer.h"

#include <algorithm>
#include <utility>

namespace galago {

AnswerBuilder::AnswerBuilder(const AnswerRules& rules, TokenText& text)
    : rules_(rules), text_(text), stop_strings_({rules.stop.begin(), rules.stop.end()}) {}

bool AnswerBuilder::push(int32_t id) {
  result_.token_ids.push_back(id);
  if (std::find(rules_.end_ids.begin(), rules_.end_ids.end(), id) != rules_.end_ids.end()) {
    if (rules_.keep_end) stream(stop_strings_.push(text_.push(id)), id);
    return end(FinishReason::stop);
  }
  const bool wanted = stream(stop_strings_.push(text_.push(id)), id);
  cut_ = stop_strings_.found() || !wanted;
  if (stop_strings_.found()) return end(FinishReason::stop);
  return wanted || end(FinishReason::cancelled);
}

void AnswerBuilder::cancel() {
  cut_ = true;
  end(FinishReason::cancelled);
}

Generation AnswerBuilder::finish() {
  if (!cut_) {
    std::string rest = stop_strings_.push(text_.finish());
    if (stop_strings_.found()) result_.finish_reason = FinishReason::stop;
    rest += stop_strings_.finish();
    if (!rest.empty()) stream(rest, -1);
  }
  result_.usage.completion_tokens = static_cast<int64_t>(result_.token_ids.size());
  return std::move(result_);
}

bool AnswerBuilder::end(FinishReason reason) {
  result_.finish_reason = reason;
  return false;
}

bool AnswerBuilder::stream(std::string_view text, int32_t id) {
  result_.text += text;
  if (rules_.on_piece == nullptr || !*rules_.on_piece) return true;
  return (*rules_.on_piece)({text, id});
}

}  // namespace galago
