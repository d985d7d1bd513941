#include "media_test_support.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

namespace galago::server::test {
namespace {

constexpr char kTlsHello = 0x16;

}  // namespace

std::string refusal_of(const std::function<void()>& action, std::string* message) {
  try {
    action();
  } catch (const MediaError& error) {
    EXPECT_TRUE(error.where().starts_with("messages[0]")) << error.what();
    EXPECT_LT(std::string(error.what()).size(), 400U);
    if (message != nullptr) *message = error.what();
    return std::to_string(http_status(error.code())) + " " + error.image_code;
  } catch (const Error& error) {
    return std::to_string(http_status(error.code())) + " without a word: " + error.what();
  }
  return "none";
}

std::string data_uri(const std::string& file, const std::string& type) {
  return "data:" + type + ";base64," + to_base64(read_bytes(data_path(file)));
}

Listener::Listener() : socket_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0)) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof address;
  auto* generic = reinterpret_cast<sockaddr*>(&address);
  if (::bind(socket_, generic, size) != 0 || ::listen(socket_, 64) != 0 ||
      ::getsockname(socket_, generic, &size) != 0)
    ADD_FAILURE() << "no socket on loopback";
  port_ = ntohs(address.sin_port);
}

Listener::~Listener() { ::close(socket_); }

int Listener::connections() const {
  int count = 0;
  for (int taken = 0; (taken = ::accept4(socket_, nullptr, nullptr, SOCK_CLOEXEC)) >= 0; ++count)
    ::close(taken);
  return count;
}

int Listener::accept() const {
  pollfd waited{.fd = socket_, .events = POLLIN, .revents = 0};
  return ::poll(&waited, 1, 5000) > 0 ? ::accept4(socket_, nullptr, nullptr, SOCK_CLOEXEC) : -1;
}

bool send_all(int connection, const std::string& bytes) {
  for (size_t sent = 0; sent < bytes.size();) {
    const ssize_t count = ::send(connection, bytes.data() + sent, bytes.size() - sent, MSG_NOSIGNAL);
    if (count <= 0) return false;
    sent += static_cast<size_t>(count);
  }
  return true;
}

OneAnswer::OneAnswer(std::function<void(int)> answer)
    : thread_([this, answer = std::move(answer)] {
        const int connection = listener_.accept();
        if (connection < 0) return;
        char buffer[4096];
        while (request_.find("\r\n\r\n") == std::string::npos && !request_.starts_with(kTlsHello)) {
          const ssize_t count = ::recv(connection, buffer, sizeof buffer, 0);
          if (count <= 0) break;
          request_.append(buffer, static_cast<size_t>(count));
        }
        answer(connection);
        ::close(connection);
      }) {}

OneAnswer::OneAnswer(std::string bytes)
    : OneAnswer([bytes = std::move(bytes)](int connection) { send_all(connection, bytes); }) {}

OneAnswer::~OneAnswer() { thread_.join(); }

}  // namespace galago::server::test
