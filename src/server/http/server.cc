#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>
#include <atomic>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/strand.hpp>
#include <cmath>
#include <thread>

#include "galago/error.h"
#include "server/http/connection.h"
#include "server/http/http.h"
#include "server/http/listener.h"
#include "server/http/tls.h"

namespace galago::http {
namespace {

namespace asio = boost::asio;
using boost::system::error_code;

constexpr auto kAcceptPause = std::chrono::milliseconds(100);
constexpr auto kLeastIdle = std::chrono::seconds(1);  // of a connection that has to leave for another one
constexpr int64_t kMostRefusals = 64;  // connections above the most that are told so at one time

void require(bool holds, const std::string& where, const std::string& expected) {
  if (!holds) throw Error(ErrorCode::usage, {.where = where, .expected = expected});
}

void check(const Options& options) {
  require(options.threads >= 1 && options.threads <= 64, "threads", "1 to 64");
  require(options.max_connections >= 1, "max_connections", "at least 1");
  require(options.max_header_bytes >= 256 && options.max_header_bytes <= 1 << 20, "max_header_bytes",
          "256 to 1048576");
  require(options.max_headers >= 1 && options.max_headers <= 10000, "max_headers", "1 to 10000");
  require(options.max_target >= 16 && options.max_target <= 1 << 20, "max_target", "16 to 1048576");
  require(options.max_held_bodies >= 1, "max_held_bodies", "at least 1");
  require(options.min_body_rate >= 0, "min_body_rate", "0 or more");
  for (const auto& [name, value] : {std::pair{"header_seconds", options.header_seconds},
                                    {"body_seconds", options.body_seconds},
                                    {"idle_seconds", options.idle_seconds},
                                    {"write_seconds", options.write_seconds}})
    require(std::isfinite(value) && value > 0 && value <= 1e6, name, "more than 0 and at most 1000000");
  require(!options.unix_socket.empty() || !options.host.empty(), "host",
          "an address, a name or a unix socket");
  require(options.certificate.empty() == options.private_key.empty(), "certificate and private_key",
          "both or none");
}

}  // namespace

struct Server::State {
  State(Options options, Callbacks callbacks) : hub{std::move(options), std::move(callbacks)} {}

  asio::awaitable<void> accept(Acceptor& acceptor);
  void welcome(Socket socket, std::string peer);
  bool turn_away(int acceptor);
  bool close_longest_idle();
  template <class Visit>
  void each_connection(const Visit& visit);
  void stop_accepting();

  Hub hub;
  asio::io_context loop;
  asio::executor_work_guard<asio::io_context::executor_type> work = asio::make_work_guard(loop);
  asio::strand<asio::io_context::executor_type> door = asio::make_strand(loop);  // of the acceptors
  Listeners listeners;
  int spare = -1;  // a file descriptor for the connection that there is none left for
  std::vector<std::thread> threads;
};

asio::awaitable<void> Server::State::accept(Acceptor& acceptor) {
  asio::steady_timer pause(door);
  while (acceptor.is_open()) {
    Socket socket(asio::make_strand(loop));
    Socket::endpoint_type peer;
    const auto [error] = co_await acceptor.async_accept(socket, peer, kAwait);
    if (!acceptor.is_open()) break;
    if (!error) {
      welcome(std::move(socket), peer_of(peer));
      continue;
    }
    if (error == asio::error::connection_aborted) continue;
    const bool none_left =
        error == asio::error::no_descriptors || error == error_code(ENFILE, boost::system::system_category());
    if (none_left && turn_away(acceptor.native_handle())) continue;
    pause.expires_after(kAcceptPause);
    co_await pause.async_wait(kAwait);
  }
}

// No descriptor is left: the spare one makes room to take a connection that waits, and to close it. False:
// none waited.
bool Server::State::turn_away(int acceptor) {
  if (spare >= 0) ::close(spare);
  const int refused = ::accept4(acceptor, nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC);
  if (refused >= 0) ::close(refused);
  spare = ::open("/dev/null", O_RDONLY | O_CLOEXEC);
  return refused >= 0;
}

void Server::State::welcome(Socket socket, std::string peer) {
  error_code ignored;
  socket.non_blocking(true, ignored);
  if (peer != "unix") {
    // A machine that went away without a word takes nothing either.
    const int patience = static_cast<int>(std::min(hub.options.write_seconds * 1000, 1e9));
    ::setsockopt(socket.native_handle(), IPPROTO_TCP, TCP_USER_TIMEOUT, &patience, sizeof patience);
  }
  int64_t count = 0;
  {
    const std::lock_guard lock(hub.mutex);
    count = static_cast<int64_t>(hub.open.size());
  }
  const int64_t most = hub.options.max_connections;
  if (count >= most + kMostRefusals) return;
  const bool fits = count < most || close_longest_idle();
  std::make_shared<Connection>(std::move(socket), std::move(peer), hub)->start(fits);
}

bool Server::State::close_longest_idle() {
  std::shared_ptr<Connection> longest;
  auto since = Clock::now() - kLeastIdle;
  each_connection([&](Connection& connection) {
    const auto own = connection.idle_since();
    if (!own || *own > since) return;
    since = *own;
    longest = connection.shared_from_this();
  });
  if (longest) longest->close_idle();
  return longest != nullptr;
}

template <class Visit>
void Server::State::each_connection(const Visit& visit) {
  std::vector<std::shared_ptr<Connection>> open;
  {
    const std::lock_guard lock(hub.mutex);
    for (const auto& [key, weak] : hub.open)
      if (auto connection = weak.lock()) open.push_back(std::move(connection));
  }
  for (const auto& connection : open) visit(*connection);
}

void Server::State::stop_accepting() {
  asio::post(door, [this] {
    for (Acceptor& acceptor : listeners.acceptors) {
      error_code ignored;
      acceptor.close(ignored);
    }
  });
}

Server::Server(Options options, Callbacks callbacks) {
  check(options);
  if (!callbacks.admit || !callbacks.handle || !callbacks.refuse)
    throw Error(ErrorCode::usage, {.where = "callbacks", .expected = "admit, handle and refuse"});
  state_ = std::make_unique<State>(std::move(options), std::move(callbacks));
  const Options& own = state_->hub.options;
  if (!own.certificate.empty()) state_->hub.tls = make_tls(own.certificate, own.private_key);
  state_->listeners = listen(state_->loop, own);
  state_->spare = ::open("/dev/null", O_RDONLY | O_CLOEXEC);
}

Server::~Server() {
  if (!state_) return;
  {
    const std::lock_guard lock(state_->hub.mutex);
    state_->hub.closing = true;
  }
  state_->stop_accepting();
  state_->each_connection([](Connection& connection) { connection.close(); });
  state_->work.reset();
  if (state_->threads.empty()) state_->loop.run();
  for (std::thread& thread : state_->threads) thread.join();
  if (state_->spare >= 0) ::close(state_->spare);
}

void Server::start() {
  for (Acceptor& acceptor : state_->listeners.acceptors)
    asio::co_spawn(state_->door, state_->accept(acceptor), asio::detached);
  for (int thread = 0; thread < state_->hub.options.threads; ++thread)
    state_->threads.emplace_back([this] { state_->loop.run(); });
}

uint16_t Server::port() const { return state_->listeners.port; }
std::string Server::address() const { return state_->listeners.address; }

void Server::drain() {
  state_->hub.draining = true;
  state_->stop_accepting();
  state_->each_connection([](Connection& connection) { connection.notice_drain(); });
}

int64_t Server::active() const { return state_->hub.active; }

int64_t Server::connections() const {
  const std::lock_guard lock(state_->hub.mutex);
  return static_cast<int64_t>(state_->hub.open.size());
}

}  // namespace galago::http
