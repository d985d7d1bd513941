// The bytes of a connection: what comes in ahead of its use, what goes out, and how it ends.
#include <poll.h>

#include <algorithm>
#include <array>
#include <boost/asio/co_spawn.hpp>
#include <span>
#include <tuple>
#include <utility>

#include "server/http/connection.h"

namespace galago::http {
namespace {

namespace asio = boost::asio;
using boost::system::error_code;

constexpr size_t kMostAhead = 64 << 10;  // bytes received beyond the request that is being answered
constexpr size_t kReadBytes = 16 << 10;
constexpr size_t kTlsReadBytes = 4 << 10;
constexpr auto kHangUpPause = std::chrono::milliseconds(100);
constexpr auto kLingerSilence = std::chrono::seconds(1);
constexpr auto kLingerMost = std::chrono::seconds(5);

// Whether the other side has closed its end, told past what it sent before that.
bool has_hung_up(int socket) {
  pollfd one{.fd = socket, .events = POLLRDHUP, .revents = 0};
  return ::poll(&one, 1, 0) > 0;
}

}  // namespace

Connection::Task<bool> Connection::handshake() {
  // What runs late is ended by closing the socket under it.
  asio::steady_timer timer(socket_.get_executor(), seconds(hub_.options.header_seconds));
  timer.async_wait([self = shared_from_this()](const error_code& error) {
    if (!error) self->close_now(false);
  });
  const auto [error] = co_await tls_->async_handshake(asio::ssl::stream_base::server, kAwait);
  co_return !error && !closed_;
}

Connection::Task<void> Connection::read_ahead(std::shared_ptr<Connection> self) {
  const size_t most = std::max(
      kMostAhead,
      static_cast<size_t>(self->hub_.options.max_header_bytes + self->hub_.options.max_target) + kReadBytes);
  try {
    while (!self->lost()) {
      if (self->received_.size() < most) {
        if (self->tls_)
          co_await self->read_some_tls();
        else
          co_await self->read_some();
      } else {  // what comes behind is not read, but the end behind it is noticed
        self->room_.expires_after(kHangUpPause);
        co_await self->room_.async_wait(kAwait);
        if (!self->closed_ && has_hung_up(self->socket_.native_handle())) self->ended_ = true;
      }
      if (self->discarding_) self->received_.clear();
      self->notify();
    }
  } catch (...) {  // memory
    self->ended_ = true;
    self->notify();
  }
}

Connection::Task<void> Connection::read_some() {
  error_code error;
  std::tie(error) = co_await socket_.async_wait(Socket::wait_read, kAwait);
  if (!error && !closed_) {
    static thread_local std::array<char, kReadBytes> bytes;  // what waits for more holds no more than it has
    const size_t count = socket_.read_some(asio::buffer(bytes), error);
    received_.append(bytes.data(), count);
    if (error == asio::error::would_block || error == asio::error::try_again) co_return;
  }
  received_at_ = Clock::now();
  if (error) ended_ = true;
}

Connection::Task<void> Connection::read_some_tls() {
  tls_bytes_.resize(kTlsReadBytes);
  const auto [error, count] = co_await tls_->async_read_some(asio::buffer(tls_bytes_), kAwait);
  received_.append(tls_bytes_.data(), count);
  received_at_ = Clock::now();
  if (error) ended_ = true;
}

void Connection::put(std::string bytes, bool counted) {
  if (!bytes.empty()) unsent_.push_back({std::move(bytes), counted});
}

void Connection::start_write() {
  if (is_writing_ || unsent_.empty() || closed_ || failed_) return;
  size_t count = 0;
  for (const Piece& piece : unsent_) {
    if (count == writing_.size()) break;
    writing_[count] = asio::buffer(piece.bytes);
    if (count == 0) writing_[0] += first_sent_;
    ++count;
  }
  is_writing_ = true;
  write_progress_ = Clock::now();
  const std::span<const asio::const_buffer> buffers(writing_.data(), count);
  auto done = [self = shared_from_this()](const error_code& error, size_t bytes) {
    try {
      self->wrote(error, bytes);
    } catch (...) {  // memory, or a call of on_change
      self->close_now(true);
    }
  };
  if (tls_)
    tls_->async_write_some(buffers, std::move(done));
  else
    socket_.async_write_some(buffers, std::move(done));
}

void Connection::wrote(const error_code& error, size_t count) {
  is_writing_ = false;
  write_progress_ = Clock::now();
  bytes_sent_ += static_cast<int64_t>(count);
  size_t counted = 0;
  for (size_t left = count; left > 0;) {
    Piece& piece = unsent_.front();
    const size_t part = std::min(left, piece.bytes.size() - first_sent_);
    if (piece.counted) counted += part;
    left -= part;
    first_sent_ += part;
    if (first_sent_ < piece.bytes.size()) break;
    unsent_.pop_front();
    first_sent_ = 0;
  }
  if (error) failed_ = true;
  if (counted > 0 && answer_) answer_->sent(counted);
  start_write();
  notify();
}

Connection::Task<bool> Connection::flush() {
  const auto patience = seconds(hub_.options.write_seconds);
  start_write();
  while (!unsent_.empty()) {
    if (closed_ || failed_ || Clock::now() >= write_progress_ + patience) co_return false;
    co_await wait_until(write_progress_ + patience);
  }
  co_return true;
}

// Tells the client the end and takes what it still sends, so that the answer is not lost with a reset.
Connection::Task<void> Connection::linger() {
  if (lost()) co_return;
  discarding_ = true;
  received_.clear();
  room_.cancel();
  if (tls_) {
    tls_->async_shutdown([self = shared_from_this()](const error_code&) {});
  } else {
    error_code ignored;
    socket_.shutdown(asio::socket_base::shutdown_send, ignored);
  }
  const auto most = Clock::now() + kLingerMost;
  received_at_ = Clock::now();
  while (!lost()) {
    const auto deadline = std::min(most, received_at_ + kLingerSilence);
    if (Clock::now() >= deadline) break;
    co_await wait_until(deadline);
  }
}

}  // namespace galago::http
