// A loop with one member.
#include "runtime/generate.h"

#include <memory>
#include <utility>

#include "core/clock.h"
#include "runtime/scheduler_loop.h"

namespace galago {
namespace {

class GivenWork final : public Work {
 public:
  GivenWork(const GenerateRequest& request, const GivenRows& given, TokenText& text)
      : request_(request), given_(given), text_(text) {}

  const GenerateRequest& request() const override { return request_; }
  TokenText& text() override { return text_; }
  ConstMatrix rows() const override { return given_.rows; }
  std::span<const ContentMark> content() const override { return given_.content; }
  bool piece(const StreamPiece& piece) override { return !given_.on_piece || given_.on_piece(piece); }
  void end(Generation generation) override { generation_ = std::move(generation); }
  void fail(std::exception_ptr error) override { error_ = std::move(error); }

  Generation take() {
    if (error_) std::rethrow_exception(error_);
    return std::move(generation_);
  }

 private:
  const GenerateRequest& request_;
  const GivenRows& given_;
  TokenText& text_;
  Generation generation_;
  std::exception_ptr error_;
};

}  // namespace

Generation generate(CausalModel& model, const GenerateRequest& request, const GivenRows& given,
                    TokenText& text) {
  const Clock clock;
  SchedulerLoop loop(model, {.sequences = 1}, [&clock] { return clock.ms(); });
  const auto work = std::make_shared<GivenWork>(request, given, text);
  loop.check(*work);
  loop.add(work);
  while (loop.step()) {
  }
  return work->take();
}

}  // namespace galago
