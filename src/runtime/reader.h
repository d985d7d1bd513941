// Reads one mailbox to its end. In: news. Out: the callbacks of a request, called on the reader's thread, and
// the answer: what was handed out, where the reader stopped it.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "runtime/mailbox.h"

namespace galago {

/// Not thread-safe.
class Reader {
 public:
  Reader(std::shared_ptr<Mailbox> mailbox, StreamCallback on_text, ProgressCallback on_progress)
      : mailbox_(std::move(mailbox)), on_text_(std::move(on_text)), on_progress_(std::move(on_progress)) {}
  Reader(Reader&&) = default;
  /// Cancels what has not ended.
  ~Reader() {
    if (mailbox_) mailbox_->cancel();
  }

  Mailbox& mailbox() const { return *mailbox_; }
  /// Tells the callbacks; one that returns false cancels the request, and hears no more. What one throws,
  /// passes through, and the request is cancelled.
  void tell(const Mailbox::News& news);
  /// The piece counts as handed out, without callbacks.
  void note(const MailedPiece& piece);
  /// After news that said `ended`, or a cancellation: the answer, or what ended the request.
  Answer finish();

 private:
  void stop();

  std::shared_ptr<Mailbox> mailbox_;
  StreamCallback on_text_;
  ProgressCallback on_progress_;
  std::string text_;  // handed out so far
  std::vector<int32_t> ids_;
  bool stopped_ = false;
};

}  // namespace galago
