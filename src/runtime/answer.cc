// One answer as it grows. In: token ids. Out: text pieces to the caller's callback, the Generation at the
// end.
#include "runtime/answer.h"

#include <algorithm>
#include <utility>

#include "core/utf8.h"

namespace galago {

void describe(TokenLogprob& token, TokenText& text) {
  token.bytes = text.bytes(token.id);
  std::string pending = token.bytes;
  token.text = unicode::take_text(pending, true);
}

TokenLogprobs logprobs_of(const RowScores& row, int32_t id, int top, TokenText& text) {
  TokenLogprobs token;
  token.id = id;
  token.logprob = row.logprob(id);
  token.top = row.top(top);
  describe(token, text);
  for (TokenLogprob& other : token.top) describe(other, text);
  return token;
}

AnswerBuilder::AnswerBuilder(const AnswerRules& rules, TokenText& text)
    : rules_(rules), text_(text), stop_strings_({rules.stop.begin(), rules.stop.end()}) {}

bool AnswerBuilder::push(int32_t id, const TokenLogprobs* logprobs) {
  result_.token_ids.push_back(id);
  const bool stops = std::ranges::count(rules_.stop_ids, id) > 0;
  if (stops || std::ranges::count(rules_.end_ids, id) > 0) {
    const std::string text = rules_.keep_end && !stops ? stop_strings_.push(text_.push(id)) : std::string();
    if (!text.empty() || logprobs != nullptr) stream({text, id, logprobs});
    return end(FinishReason::stop);
  }
  const std::string text = stop_strings_.push(text_.push(id));
  const bool wanted = stream({text, id, logprobs});
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
    if (!rest.empty()) stream({rest});
  }
  result_.usage.completion_tokens = static_cast<int64_t>(result_.token_ids.size());
  return std::move(result_);
}

bool AnswerBuilder::end(FinishReason reason) {
  ended_ = true;
  result_.finish_reason = reason;
  return false;
}

bool AnswerBuilder::stream(StreamPiece piece) {
  result_.text += piece.text;
  if (rules_.on_piece == nullptr || !*rules_.on_piece) return true;
  return (*rules_.on_piece)(piece);
}

}  // namespace galago
