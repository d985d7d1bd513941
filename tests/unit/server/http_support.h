// A server on a free port of the loopback, and a client that sends bytes as they are written down.
#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "server/http/http.h"

namespace galago::http::test {

/// How long a test waits for what must happen: generous, a slow machine is no failure.
inline constexpr std::chrono::seconds kPatience{20};

/// Until `ready`; false: kPatience has passed.
bool eventually(const std::function<bool()>& ready);

/// A client's end of a connection. Blocking, each call within kPatience.
class Client {
 public:
  explicit Client(uint16_t port);
  explicit Client(const std::string& unix_socket);
  ~Client();
  Client(Client&& other) noexcept;
  Client(const Client&) = delete;

  int handle() const { return socket_; }
  /// False: the other side has closed.
  bool send(std::string_view bytes);
  /// Some bytes; empty: the end.
  std::string receive(size_t most = 65536);
  /// All up to the end.
  std::string receive_all();
  /// One answer, read by its Content-Length or its chunks; to the end without either. Empty: the end came
  /// first.
  std::string receive_answer(bool without_body = false);
  /// Whether the other side closes within the time, without sending anything before.
  bool closes_within(std::chrono::milliseconds time);
  /// Closes the sending half.
  void finish();
  void close();
  /// Closes with a reset.
  void reset();

 private:
  int socket_ = -1;
  std::string left_;  // received behind the last answer
};

/// The status of an answer's text; 0: it is none.
int status_of(std::string_view answer);
/// What follows the blank line.
std::string_view body_of(std::string_view answer);

/// One call of Callbacks::done.
struct Done {
  std::string target;
  int status = 0;
  int64_t bytes = 0;
};

/// A server with a handler of the test's. Without one: answers 200 with method, path and body.
class Running {
 public:
  explicit Running(Options options = {}, std::function<void(std::shared_ptr<Exchange>)> handle = {},
                   std::function<Admission(const Request&)> admit = {});
  ~Running();

  Client client() const { return Client(server->port()); }
  std::vector<Done> done() const;

  std::unique_ptr<Server> server;

 private:
  struct Log;
  std::shared_ptr<Log> log_;
};

}  // namespace galago::http::test
