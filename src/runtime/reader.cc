// See the header.
#include "runtime/reader.h"

#include <algorithm>
#include <utility>

namespace galago {

void Reader::stop() {
  stopped_ = true;
  mailbox_->cancel();
}

void Reader::note(const MailedPiece& piece) {
  text_ += piece.text;
  if (piece.token_id >= 0) ids_.push_back(piece.token_id);
}

void Reader::tell(const Mailbox::News& news) {
  try {
    if (news.progress && !stopped_ && on_progress_ && !on_progress_(*news.progress)) stop();
    if (!news.piece || stopped_) return;
    note(*news.piece);
    if (on_text_ && !on_text_(news.piece->view())) stop();
  } catch (...) {
    stop();
    throw;
  }
}

Answer Reader::finish() {
  MailedEnd end = mailbox_->take_end();
  if (end.error) std::rethrow_exception(end.error);
  if (stopped_) {  // the loop may have been a token or two ahead of the reader
    end.answer.text = std::move(text_);
    end.answer.token_ids = std::move(ids_);
    const int64_t count = std::ssize(end.answer.token_ids);
    end.answer.usage.completion_tokens = count;
    if (std::ssize(end.answer.tokens) > count) end.answer.tokens.resize(static_cast<size_t>(count));
    std::erase_if(end.answer.elements, [count](const AnswerElement& one) { return one.begin >= count; });
    for (AnswerElement& one : end.answer.elements) one.end = std::min(one.end, count);
    end.answer.finish_reason = FinishReason::cancelled;
  }
  return std::move(end.answer);
}

}  // namespace galago
