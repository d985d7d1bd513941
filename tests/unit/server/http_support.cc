#include "http_support.h"

#include <gtest/gtest.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cstdlib>
#include <cstring>
#include <mutex>
#include <thread>

#include "http_kept.h"

namespace galago::http::test {
namespace {

using namespace std::chrono_literals;

bool readable_within(int socket, std::chrono::milliseconds time) {
  pollfd one{.fd = socket, .events = POLLIN, .revents = 0};
  return ::poll(&one, 1, static_cast<int>(time.count())) > 0;
}

std::string header_of(std::string_view head, std::string_view name) {
  const size_t at = head.find("\r\n" + std::string(name) + ": ");
  if (at == std::string_view::npos) return {};
  const size_t begin = at + 4 + name.size();
  return std::string(head.substr(begin, head.find("\r\n", begin) - begin));
}

}  // namespace

bool eventually(const std::function<bool()>& ready) {
  const auto deadline = std::chrono::steady_clock::now() + kPatience;
  while (!ready()) {
    if (std::chrono::steady_clock::now() >= deadline) return false;
    std::this_thread::sleep_for(2ms);
  }
  return true;
}

Client::Client(uint16_t port) : socket_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  if (::connect(socket_, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) close();
}

Client::Client(const std::string& unix_socket) : socket_(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  unix_socket.copy(address.sun_path, sizeof address.sun_path - 1);
  if (::connect(socket_, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) close();
}

Client::~Client() { close(); }
Client::Client(Client&& other) noexcept
    : socket_(std::exchange(other.socket_, -1)), left_(std::move(other.left_)) {}

bool Client::send(std::string_view bytes) {
  while (!bytes.empty()) {
    pollfd one{.fd = socket_, .events = POLLOUT, .revents = 0};
    if (::poll(&one, 1, static_cast<int>(std::chrono::milliseconds(kPatience).count())) <= 0) return false;
    const ssize_t count = ::send(socket_, bytes.data(), bytes.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
    if (count < 0) return false;
    bytes.remove_prefix(static_cast<size_t>(count));
  }
  return true;
}

std::string Client::receive(size_t most) {
  if (!left_.empty()) return std::exchange(left_, {});
  if (!readable_within(socket_, kPatience)) {
    ADD_FAILURE() << "nothing came";
    return {};
  }
  std::string bytes(most, 0);
  const ssize_t count = ::recv(socket_, bytes.data(), bytes.size(), 0);
  bytes.resize(count > 0 ? static_cast<size_t>(count) : 0);
  return bytes;
}

std::string Client::receive_all() {
  std::string all;
  for (std::string part = receive(); !part.empty(); part = receive()) all += part;
  return all;
}

std::string Client::receive_answer(bool without_body) {
  std::string text;
  const auto more = [&] {
    const std::string part = receive();
    text += part;
    return !part.empty();
  };
  while (text.find("\r\n\r\n") == std::string::npos)
    if (!more()) return text;
  const size_t head = text.find("\r\n\r\n") + 4;
  size_t end = head;
  const std::string length = header_of(text.substr(0, head), "Content-Length");
  if (without_body || status_of(text) < 200 || status_of(text) == 204 || status_of(text) == 304) {
  } else if (!length.empty()) {
    end = head + std::strtoull(length.c_str(), nullptr, 10);
    while (text.size() < end)
      if (!more()) return text;
  } else if (!header_of(text.substr(0, head), "Transfer-Encoding").empty()) {
    while (text.find("0\r\n\r\n", head) == std::string::npos)
      if (!more()) return text;
    end = text.find("0\r\n\r\n", head) + 5;
  } else {
    while (more()) {
    }
    end = text.size();
  }
  left_ = text.substr(end);
  return text.substr(0, end);
}

bool Client::closes_within(std::chrono::milliseconds time) {
  char byte = 0;
  return left_.empty() && readable_within(socket_, time) && ::recv(socket_, &byte, 1, 0) <= 0;
}

void Client::finish() { ::shutdown(socket_, SHUT_WR); }

void Client::close() {
  if (socket_ >= 0) ::close(std::exchange(socket_, -1));
}

void Client::reset() {
  const linger at_once{.l_onoff = 1, .l_linger = 0};
  ::setsockopt(socket_, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
  close();
}

int status_of(std::string_view answer) {
  if (answer.substr(0, 9) != "HTTP/1.1 ") return 0;
  return std::atoi(std::string(answer.substr(9, 3)).c_str());
}

std::string_view body_of(std::string_view answer) {
  const size_t blank = answer.find("\r\n\r\n");
  return blank == std::string_view::npos ? std::string_view() : answer.substr(blank + 4);
}

std::function<void(std::shared_ptr<Exchange>)> Kept::handler() {
  return [this](std::shared_ptr<Exchange> exchange) {
    const std::lock_guard lock(mutex_);
    exchanges_.push_back(std::move(exchange));
  };
}

std::shared_ptr<Exchange> Kept::take() {
  std::shared_ptr<Exchange> taken;
  EXPECT_TRUE(eventually([&] {
    const std::lock_guard lock(mutex_);
    if (exchanges_.empty()) return false;
    taken = exchanges_.front();
    exchanges_.erase(exchanges_.begin());
    return true;
  }));
  return taken;
}

size_t Kept::size() const {
  const std::lock_guard lock(mutex_);
  return exchanges_.size();
}

struct Running::Log {
  std::mutex mutex;
  std::vector<Done> done;
};

Running::Running(Options options, std::function<void(std::shared_ptr<Exchange>)> handle,
                 std::function<Admission(const Request&)> admit)
    : log_(std::make_shared<Log>()) {
  if (options.unix_socket.empty() && options.port == 8080) options.port = 0;
  if (!handle)
    handle = [](const std::shared_ptr<Exchange>& exchange) {
      const Request& request = exchange->request();
      exchange->respond({.body = request.method + ' ' + request.path + ' ' + request.body});
    };
  if (!admit) admit = [](const Request&) { return Admission{.max_body = 1 << 20}; };
  server = std::make_unique<Server>(
      std::move(options),
      Callbacks{.admit = std::move(admit),
                .handle = std::move(handle),
                .refuse = [](int status,
                             const std::string& text) { return Response{.status = status, .body = text}; },
                .done =
                    [log = log_](const Request& request, int status, int64_t bytes, double) {
                      const std::lock_guard lock(log->mutex);
                      log->done.push_back({request.target, status, bytes});
                    }});
  server->start();
}

Running::~Running() = default;

std::vector<Done> Running::done() const {
  const std::lock_guard lock(log_->mutex);
  return log_->done;
}

}  // namespace galago::http::test
