// See the header.
#include "bell.h"

#include <poll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "galago/error.h"

namespace galago::python {

Bell::Bell() : descriptor_(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {
  if (descriptor_ < 0)
    throw Error(ErrorCode::resource, {.where = "waiting for an answer",
                                      .got = std::strerror(errno),
                                      .expected = "a file descriptor",
                                      .hint = "ulimit -n says how many there may be"});
}

Bell::~Bell() { close(descriptor_); }

void Bell::ring(int64_t number) {
  const std::lock_guard lock(mutex_);
  if (!numbers_.insert(number).second || numbers_.size() > 1) return;
  const uint64_t one = 1;
  [[maybe_unused]] const auto written = write(descriptor_, &one, sizeof one);
}

std::vector<int64_t> Bell::take() {
  const std::lock_guard lock(mutex_);
  uint64_t count = 0;
  [[maybe_unused]] const auto had = read(descriptor_, &count, sizeof count);
  std::vector<int64_t> numbers(numbers_.begin(), numbers_.end());
  numbers_.clear();
  return numbers;
}

void Bell::wait(std::chrono::milliseconds most) const {
  pollfd one{.fd = descriptor_, .events = POLLIN, .revents = 0};
  poll(&one, 1, static_cast<int>(most.count()));
}

}  // namespace galago::python
