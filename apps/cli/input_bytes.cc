// See the header.
#include "input_bytes.h"

#include <poll.h>
#include <unistd.h>

#include <cerrno>

#include "console.h"

namespace galago::cli {
namespace {

constexpr int kWakeMs = 200;  // a signal may come right before the wait

}  // namespace

int InputBytes::next(const std::function<void()>& woken) {
  while (at_ == size_) {
    if (interrupted()) return kInterrupted;
    if (woken) woken();
    pollfd input{.fd = STDIN_FILENO, .events = POLLIN, .revents = 0};
    if (poll(&input, 1, kWakeMs) <= 0) continue;
    const ssize_t count = ::read(STDIN_FILENO, bytes_.data(), bytes_.size());
    if (count < 0 && (errno == EINTR || errno == EAGAIN)) continue;
    if (count <= 0) return kEnd;
    at_ = 0;
    size_ = static_cast<size_t>(count);
  }
  return static_cast<unsigned char>(bytes_[at_++]);
}

}  // namespace galago::cli
