// See the header.
#include "runtime/reader.h"

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
    if (on_text_ && !on_text_({.text = news.piece->text, .token_id = news.piece->token_id})) stop();
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
    end.answer.usage.completion_tokens = std::ssize(end.answer.token_ids);
    end.answer.finish_reason = FinishReason::cancelled;
  }
  return std::move(end.answer);
}

}  // namespace galago
