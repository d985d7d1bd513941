// A request of the public API as the scheduler's loop sees it. In: a planned request and a mailbox. Out:
// pictures made ready on a thread beside the loop, encoded group by group on the loop's, the packed prompt,
// and the answer in the mailbox.
#pragma once

#include <atomic>
#include <memory>
#include <vector>

#include "core/handover.h"
#include "kernels/workspace.h"
#include "runtime/mailbox.h"
#include "runtime/planned_request.h"
#include "runtime/sequence.h"
#include "runtime/task_pool.h"

namespace galago {

/// What the requests of one scheduler share.
struct WorkPlace {
  const Model::State& model;
  std::shared_ptr<Alarm> alarm;
  std::atomic<int64_t> unfinished = 0;  ///< requests
  /// Of the loop's thread, for the tower and the decoder in turn.
  std::shared_ptr<Workspace> workspace = std::make_shared<Workspace>(model.frontend->device());
  TaskPool pool{2};  ///< last: its tasks hold requests
};

class RequestWork final : public Work, public std::enable_shared_from_this<RequestWork> {
 public:
  /// Plans the request, with its errors. `place` must outlive it.
  /// group: of prompt_group(), null for a request alone.
  RequestWork(WorkPlace& place, Request request, double now_ms, std::shared_ptr<Mailbox> mailbox,
              std::shared_ptr<const int> group = nullptr);
  ~RequestWork() override;

  const GenerateRequest& request() const override { return planned_.generate(); }
  Turn turn() const override { return turn_; }
  TokenText& text() override { return text_; }
  const void* prompt_group() const override { return group_.get(); }
  int64_t bytes() const override { return planned_.bytes(); }
  void start() override;
  Encoding encode() override;
  ConstMatrix rows() const override { return rows_.matrix(); }
  std::span<const ContentMark> content() const override { return content_; }
  void release() override;
  bool cancelled() const override { return mailbox_->cancelled(); }
  bool has_room() const override { return mailbox_->has_room(); }
  bool piece(const StreamPiece& piece) override { return mailbox_->put(piece); }
  void end(Generation generation) override;
  void fail(std::exception_ptr error) override;

 private:
  void pack();
  void report();
  void leave();

  WorkPlace& place_;
  PlannedRequest planned_;
  Turn turn_;
  TokenizerText text_;
  std::shared_ptr<Mailbox> mailbox_;
  std::shared_ptr<const int> group_;  // whose address is no other group's
  bool left_ = false;                 // it has ended
  // From start() until the prompt is packed; the thread that makes pictures ready holds them too.
  std::shared_ptr<Handover<PreparedPicture>> prepared_;
  std::shared_ptr<ImageEncoder> encoder_;
  std::vector<EncodedPicture> encoded_;
  int64_t tiles_told_ = 0;
  Tensor rows_;  // [L, D]
  std::vector<ContentMark> content_;
};

}  // namespace galago
