#include "server/http/connection.h"

#include <algorithm>
#include <array>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/post.hpp>
#include <cstdio>
#include <ctime>
#include <utility>

#include "server/http/body.h"

namespace galago::http {
namespace {

namespace asio = boost::asio;
using boost::system::error_code;

constexpr size_t kIdleCapacity = 1 << 10;  // of a buffer that an idle connection may keep
constexpr auto kRateFreeTime = std::chrono::seconds(2);

std::string chunk_size(size_t count) {
  std::array<char, 24> text{};
  std::snprintf(text.data(), text.size(), "%zx\r\n", count);
  return text.data();
}

}  // namespace

Connection::Connection(Socket socket, std::string peer, Hub& hub)
    : socket_(std::move(socket)),
      peer_(std::move(peer)),
      hub_(hub),
      changed_(socket_.get_executor()),
      room_(socket_.get_executor()) {
  if (hub.tls) tls_.emplace(socket_, *hub.tls);
}

void Connection::start(bool welcome) {
  {
    const std::lock_guard lock(hub_.mutex);
    if (hub_.closing) return;
    hub_.open.emplace(this, weak_from_this());
  }
  asio::co_spawn(socket_.get_executor(), run(shared_from_this(), welcome), asio::detached);
}

// An answer that was sent whole may still be on its way: a reset would cut it.
void Connection::close() {
  asio::post(socket_.get_executor(),
             [self = shared_from_this()] { self->close_now(self->answer_ != nullptr); });
}

void Connection::notice_drain() {
  asio::post(socket_.get_executor(), [self = shared_from_this()] { self->notify(); });
}

std::optional<Clock::time_point> Connection::idle_since() const {
  const Clock::rep since = idle_since_;
  if (since == 0) return std::nullopt;
  return Clock::time_point(Clock::duration(since));
}

void Connection::close_idle() {
  asio::post(socket_.get_executor(), [self = shared_from_this()] {
    if (self->idle_since_ != 0 && self->received_.empty()) self->close_now(false);
  });
}

void Connection::notify() { changed_.cancel(); }

Connection::Task<void> Connection::wait_until(Clock::time_point deadline) {
  changed_.expires_at(deadline);
  co_await changed_.async_wait(kAwait);
}

void Connection::close_now(bool reset) {
  if (closed_) return;
  closed_ = true;
  error_code ignored;
  if (reset) socket_.set_option(asio::socket_base::linger(true, 0), ignored);
  socket_.close(ignored);
  room_.cancel();
  notify();
}

Connection::Task<void> Connection::run(std::shared_ptr<Connection> self, bool welcome) {
  try {
    bool open = true;
    if (self->tls_) open = co_await self->handshake();
    if (open) {
      asio::co_spawn(self->socket_.get_executor(), read_ahead(self), asio::detached);
      if (welcome) {
        while (co_await self->serve_request()) {
        }
      } else {
        co_await self->refuse_connection();
      }
      co_await self->linger();
    }
  } catch (...) {  // memory, or a callback: this connection ends, others go on
  }
  if (self->answer_) self->leave_answer(true);
  self->close_now(false);
  const std::lock_guard lock(self->hub_.mutex);
  self->hub_.open.erase(self.get());
}

Connection::Task<bool> Connection::serve_request() {
  if (!co_await wait_for_request()) co_return false;
  request_began_ = Clock::now();
  bytes_sent_ = 0;
  progress_ = {};
  auto head = co_await read_head();
  if (!head) co_return false;
  Admission admission;
  std::optional<Refusal> broken;
  try {
    admission = hub_.callbacks.admit(head->request);
  } catch (...) {
    broken = Refusal{500, "the request could not be looked at"};
  }
  if (!broken && !admission.refusal) broken = check_services(*head);
  if (broken) {
    co_await refuse(head->request, *broken);
    co_return false;
  }
  if (admission.refusal) {
    co_await send_refusal(head->request, *admission.refusal);
    co_return false;
  }
  HeldBody held(hub_.held_bodies);
  const bool whole = co_await read_body(*head, std::max<int64_t>(admission.max_body, 0), held);
  if (!whole) co_return false;
  co_return co_await answer(std::move(*head));
}

Connection::Task<void> Connection::refuse_connection() {
  request_began_ = Clock::now();
  Request none;
  none.peer = peer_;
  const Refusal refusal{503, "there are too many connections"};
  co_await refuse(none, refusal);
}

Connection::Task<bool> Connection::wait_for_request() {
  if (received_.empty() && received_.capacity() > kIdleCapacity) std::string().swap(received_);
  const auto began = Clock::now(), deadline = began + seconds(hub_.options.idle_seconds);
  idle_since_ = began.time_since_epoch().count();
  while (received_.empty()) {
    if (lost() || hub_.draining || Clock::now() >= deadline) co_return false;
    co_await wait_until(deadline);
  }
  idle_since_ = 0;
  co_return !closed_ && !failed_;
}

Connection::Task<std::optional<Head>> Connection::read_head() {
  const Options& options = hub_.options;
  const HeadLimits limits{options.max_header_bytes, options.max_headers, options.max_target};
  const auto deadline = request_began_ + seconds(options.header_seconds);
  HeadReader reader(limits);
  std::optional<Refusal> refusal;
  while (true) {
    refusal = reader.read(received_);
    if (refusal || reader.complete()) break;
    if (lost()) co_return std::nullopt;
    if (Clock::now() >= deadline) {
      refusal = Refusal{408, "the request's head did not come in time"};
      break;
    }
    co_await wait_until(deadline);
  }
  if (!refusal) {
    auto head =
        parse_head(std::string_view(received_).substr(reader.begin(), reader.end() - reader.begin()), limits);
    if (auto* good = std::get_if<Head>(&head)) {
      received_.erase(0, reader.end());
      room_.cancel();
      good->request.peer = peer_;
      co_return std::move(*good);
    }
    refusal = std::get<Refusal>(std::move(head));
  }
  Request request;
  request.peer = peer_;
  co_await refuse(request, *refusal);
  co_return std::nullopt;
}

Connection::Task<bool> Connection::read_body(Head& head, int64_t most, HeldBody& held) {
  BodyReader reader(head, most);
  const auto began = Clock::now();
  const auto whole = began + seconds(hub_.options.body_seconds);
  int64_t total = 0;
  if (head.expects_continue && received_.empty() && !reader.complete() && head.length <= most)
    put("HTTP/1.1 100 Continue\r\n\r\n", false);
  start_write();
  std::optional<Refusal> refusal;
  while (true) {
    size_t taken = 0;
    refusal = reader.read(received_, taken);
    received_.erase(0, taken);
    room_.cancel();
    total += static_cast<int64_t>(taken);
    if (!held.add(static_cast<int64_t>(taken), hub_.options.max_held_bodies) && !refusal)
      refusal = Refusal{503, "the bodies of all requests take too much memory"};
    if (refusal || reader.complete()) break;
    if (lost()) {
      tell_done(head.request, 0);
      co_return false;
    }
    auto deadline = whole;
    if (const int64_t rate = hub_.options.min_body_rate; rate > 0) {
      // When the average falls below the least rate, if nothing more comes.
      const auto too_slow = seconds(static_cast<double>(total) / static_cast<double>(rate));
      deadline = std::min(whole, began + std::max<Clock::duration>(kRateFreeTime, too_slow));
    }
    if (Clock::now() >= deadline) {
      refusal = Refusal{408, "the request's body did not come in time"};
      break;
    }
    co_await wait_until(deadline);
  }
  if (refusal) {
    co_await refuse(head.request, *refusal);
    co_return false;
  }
  head.request.body = reader.take();
  co_return true;
}

Response Connection::refusal_of(const Refusal& refusal) const {
  try {
    if (hub_.callbacks.refuse) return hub_.callbacks.refuse(refusal.status, refusal.text);
  } catch (...) {  // an answer all the same
  }
  return {.status = refusal.status, .headers = {{"Content-Type", "text/plain"}}, .body = refusal.text + '\n'};
}

Connection::Task<void> Connection::refuse(const Request& request, const Refusal& refusal) {
  Response response = refusal_of(refusal);
  co_await send_refusal(request, response);
}

Connection::Task<void> Connection::send_refusal(const Request& request, Response& response) {
  put(response_head(response, {.length = response.body.size(), .keep_alive = false}, std::time(nullptr)),
      false);
  if (request.method != "HEAD" && has_body(response.status)) put(std::move(response.body), false);
  const bool sent = co_await flush();
  tell_done(request, sent ? response.status : 0);
}

Connection::Task<bool> Connection::answer(Head head) {
  answer_ = std::make_shared<Answer>(std::move(head.request), [self = shared_from_this()] {
    asio::post(self->socket_.get_executor(), [self] { self->notify(); });
  });
  ++hub_.active;
  try {
    hub_.callbacks.handle(make_exchange(answer_));
  } catch (...) {  // then the exchange is gone, and has answered 500
  }
  const auto patience = seconds(hub_.options.write_seconds);
  while (true) {
    take_answer(head);
    start_write();
    if (progress_.ended && unsent_.empty()) break;
    // A client that sends no more has left, unless all that it waits for is there already.
    const bool left = closed_ || failed_ || (ended_ && !progress_.ended);
    const bool broken = progress_.broken && unsent_.empty();
    if (left || broken || (is_writing_ && Clock::now() >= write_progress_ + patience)) {
      leave_answer(true);
      close_now(true);  // by a reset: without chunks nothing else tells a broken answer from a whole one
      co_return false;
    }
    co_await wait_until(is_writing_ ? write_progress_ + patience : Clock::time_point::max());
  }
  leave_answer(false);
  co_return progress_.keep_alive;
}

void Connection::take_answer(const Head& head) {
  Answer::Taken taken = answer_->take();
  if (taken.abandoned && progress_.status == 0 && !taken.head)
    taken.head = refusal_of({500, "the request was not answered"});
  else
    progress_.broken |= taken.abandoned;
  if (taken.head) {
    put_head(*taken.head, head, taken.streams);
    if (!taken.streams && !progress_.without_body) put(std::move(taken.head->body), false);
  }
  for (std::string& piece : taken.pieces) {
    if (progress_.without_body) {
      answer_->sent(piece.size());
      continue;
    }
    if (progress_.chunked) put(chunk_size(piece.size()), false);
    put(std::move(piece), true);
    if (progress_.chunked) put("\r\n", false);
  }
  if (!taken.ended) return;
  progress_.ended = !progress_.broken;
  if (progress_.chunked && !progress_.broken && !progress_.without_body) put("0\r\n\r\n", false);
}

void Connection::put_head(const Response& response, const Head& head, bool streams) {
  const bool has_one = has_body(response.status);
  progress_.status = response.status;
  progress_.without_body = !has_one || answer_->request().method == "HEAD";
  progress_.chunked = streams && has_one && head.minor == 1;
  progress_.keep_alive =
      head.keep_alive && !hub_.draining && (!streams || progress_.chunked || progress_.without_body);
  Framing framing{.chunked = progress_.chunked, .keep_alive = progress_.keep_alive, .minor = head.minor};
  if (!streams && has_one) framing.length = response.body.size();
  put(response_head(response, framing, std::time(nullptr)), false);
}

void Connection::leave_answer(bool gone) {
  const auto answer = std::exchange(answer_, nullptr);
  --hub_.active;
  answer->leave(gone);
  tell_done(answer->request(), progress_.status);
}

void Connection::tell_done(const Request& request, int status) {
  if (!hub_.callbacks.done) return;
  const std::chrono::duration<double, std::milli> took = Clock::now() - request_began_;
  try {
    hub_.callbacks.done(request, status, bytes_sent_, took.count());
  } catch (...) {  // the connection does not depend on it
  }
}

}  // namespace galago::http
