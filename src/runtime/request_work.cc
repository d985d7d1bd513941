// See the header.
#include "runtime/request_work.h"

#include <algorithm>
#include <string>
#include <utility>

#include "runtime/guarded.h"

namespace galago {

RequestWork::RequestWork(WorkPlace& place, Request request, double now_ms, std::shared_ptr<Mailbox> mailbox,
                         std::shared_ptr<const int> group)
    : place_(place),
      planned_(place.model, std::move(request)),
      text_(place.model.frontend->tokenizer(), planned_.keep_special()),
      mailbox_(std::move(mailbox)),
      group_(std::move(group)) {
  const Request& asked = planned_.request();
  turn_.priority = asked.priority;
  if (asked.timeout_ms > 0) turn_.deadline = now_ms + asked.timeout_ms;
  ++place_.unfinished;
}

RequestWork::~RequestWork() { leave(); }

void RequestWork::start() {
  if (planned_.plan().tiles == 0) return;
  const std::shared_ptr<Alarm> alarm = place_.alarm;
  prepared_ = std::make_shared<Handover<PreparedPicture>>([alarm] { alarm->ring(); });
  encoder_ = std::make_shared<ImageEncoder>(
      *place_.model.frontend, *place_.model.engine,
      EncodeOptions{.cache = place_.model.image_cache.get(), .several = pictures_of(planned_.plan()) > 1});
  place_.pool.add([self = shared_from_this(), prepared = prepared_, encoder = encoder_] {
    std::exception_ptr fault;
    try {
      encoder->prepare(self->planned_.visuals(), self->planned_.plan(), [&](PreparedPicture picture) {
        self->place_.pool.pause([&] { prepared->give(std::move(picture)); });
      });
    } catch (const Handover<PreparedPicture>::Closed&) {  // nobody wants them any more
    } catch (...) {
      fault = std::current_exception();
    }
    prepared->end(std::move(fault));
  });
}

Work::Encoding RequestWork::encode() {
  if (encoded_.size() == pictures_of(planned_.plan())) {
    pack();
    return Encoding::done;
  }
  const EncodeCosts costs = planned_.costs();
  if (!encoder_->busy()) {
    std::optional<PreparedPicture> next = prepared_->take();
    if (!next && prepared_->exhausted())
      throw Error(ErrorCode::internal, {.where = "pictures",
                                        .got = std::to_string(encoded_.size()),
                                        .expected = std::to_string(pictures_of(planned_.plan()))});
    if (!next) return Encoding::waiting;
    encoder_->begin(std::move(*next), costs);
    if (encoder_->tiles_done() == 0) report();
  }
  const int64_t before = encoder_->tiles_done();
  if (auto picture = encoder_->encode_piece(*place_.workspace, costs))
    encoded_.push_back(std::move(*picture));
  if (encoder_->tiles_done() > before) report();
  return Encoding::more;
}

// The prompt's rows, and what they come from; pictures are not needed any more.
void RequestWork::pack() {
  const Model::State& model = place_.model;
  rows_ = pack_prompt(*model.frontend, *model.engine, planned_.plan().ids, views(encoded_));
  if (model.prefixes)
    content_ = content_marks(planned_.plan().ids, model.frontend->config().image_token_id, encoded_);
  encoded_.clear();
  encoded_.shrink_to_fit();
  encoder_.reset();
  prepared_.reset();
  if (planned_.plan().tiles == 0) return;
  place_.workspace->give_back();  // the tower takes far more than the decoder
  model.done_with_pictures();
}

void RequestWork::release() {
  if (prepared_) prepared_->close();
  prepared_.reset();
  encoder_.reset();
  encoded_.clear();
  rows_ = {};
  content_.clear();
}

// One that was put back encodes some tiles once more, and never says less than before.
void RequestWork::report() {
  tiles_told_ = std::max(tiles_told_, encoder_->tiles_done());
  mailbox_->report({.tiles_done = tiles_told_,
                    .tiles_total = planned_.plan().tiles,
                    .prompt_tokens = std::ssize(planned_.plan().ids)});
}

void RequestWork::leave() {
  release();
  planned_.forget_functions();
  if (!std::exchange(left_, true)) --place_.unfinished;
}

void RequestWork::end(Generation generation) {
  leave();
  mailbox_->end({.answer = planned_.finish(std::move(generation)), .error = nullptr});
}

void RequestWork::fail(std::exception_ptr error) {
  leave();
  try {
    guarded([&] { std::rethrow_exception(error); });
  } catch (...) {
    mailbox_->end({.answer = {}, .error = std::current_exception()});
  }
}

}  // namespace galago
