// See the header.
#include "server/media/media_use.h"

#include <utility>

#include "server/media/media_error.h"

namespace galago::server {

MediaUse::MediaUse(int64_t most_pixels, MediaBudget& budget, KeepGoing keep_going, Waiting waiting)
    : most_(most_pixels),
      budget_(&budget),
      keep_going_(std::move(keep_going)),
      waiting_(std::move(waiting)) {}

MediaUse::~MediaUse() {
  if (budget_) budget_->held_ -= taken_;
}

void MediaUse::take(int64_t pixels, const std::string& where) {
  if (pixels > most_ - taken_)
    throw MediaError(
        ErrorCode::input_too_large,
        {.where = where,
         .got = std::to_string(pixels) + " pixels after " + std::to_string(taken_),
         .expected = "at most " + std::to_string(most_) + " pixels in all pictures of a request"},
        "image_too_large");
  if (budget_ && (budget_->held_ += pixels) > budget_->most_) {
    budget_->held_ -= pixels;
    throw Error(ErrorCode::overloaded,
                {.where = where,
                 .got = "more pictures in work than fit",
                 .expected = "at most " + std::to_string(budget_->most_) + " pixels in all requests",
                 .hint = "try again in a moment"});
  }
  taken_ += pixels;
}

void MediaUse::wait(const std::function<void()>& body) const {
  if (waiting_)
    waiting_(body);
  else
    body();
}

}  // namespace galago::server
