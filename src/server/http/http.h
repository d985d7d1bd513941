// HTTP/1.1 as the rest of the server sees it: no socket, no Boost. In: options and a handler. Out: requests
// that were read whole, checked and bounded, each with an Exchange that takes its answer. Reference: RFC
// 9110, RFC 9112.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace galago::http {

/// Names and values in their order.
using Headers = std::vector<std::pair<std::string, std::string>>;

/// The first value of that name, told without regard to case; null: none.
const std::string* find(const Headers& headers, std::string_view name);

/// A request as it was read. Without its body while only its head is known.
struct Request {
  std::string method;  ///< as sent: "GET", "POST"
  std::string target;  ///< as sent, with its query
  std::string path;    ///< of target, percent-decoded
  std::string query;   ///< of target, behind the first '?', as sent
  Headers headers;
  std::string body;  ///< without transfer coding
  std::string peer;  ///< address and port; "unix" for a local socket
};

/// An answer, whole.
struct Response {
  int status = 200;
  Headers headers{};  ///< Content-Length, Connection and Date are added
  std::string body{};
};

/// One request and its answer on the way out. Safe from any thread. The answer is either respond(), or
/// begin(), any number of write() and end(). What comes after the end, or after the client has left, is lost
/// without an error. Going away without an answer answers 500; within a stream it closes the connection.
class Exchange {
 public:
  virtual ~Exchange() = default;
  virtual const Request& request() const = 0;

  virtual void respond(Response response) = 0;
  /// Opens an answer of unknown length (chunked; with HTTP/1.0 up to the end of the connection).
  virtual void begin(Response head) = 0;
  /// Queues bytes; never waits. A writer keeps to pending() < kMostPending by itself.
  virtual void write(std::string bytes) = 0;
  virtual void end() = 0;

  /// Bytes of write() that the socket has not taken.
  virtual size_t pending() const = 0;
  /// Whether the client has gone, or took nothing for Options::write_seconds.
  virtual bool gone() const = 0;
  /// Called from the loop's thread when pending() has fallen to half of kMostPending or below after it was
  /// above, and when the client has gone; at once if it has gone already. It must be quick and not throw. One
  /// at a time; an empty one takes it away, and after that call it is not called any more.
  virtual void on_change(std::function<void()> changed) = 0;
};

/// Bytes that one stream may have waiting for its client.
inline constexpr size_t kMostPending = size_t{256} << 10;

/// What to do with a request whose head alone is known.
struct Admission {
  std::optional<Response>
      refusal;           ///< sent instead of reading the body; the connection is closed if there is one
  int64_t max_body = 0;  ///< bytes that its body may have; more is 413
};

/// Limits and where to listen. Seconds may be fractions.
struct Options {
  std::string host = "127.0.0.1";       ///< an address or a name; empty with a unix socket
  uint16_t port = 8080;                 ///< 0: any free one
  std::filesystem::path unix_socket{};  ///< listens there instead of on host and port
  std::filesystem::path certificate{};  ///< PEM chain; TLS when it and private_key are set
  std::filesystem::path private_key{};
  int threads = 1;  ///< of the event loop
  /// More are accepted and closed with 503, unless one waits for a request: then the one that has waited
  /// longest, a second at least, is closed instead.
  int64_t max_connections = 4096;
  int64_t max_held_bodies = int64_t{1} << 30;  ///< bytes of all requests' bodies; what would be more is 503
  int64_t max_header_bytes = 16 << 10;
  int64_t max_headers = 100;
  int64_t max_target = 8 << 10;
  double header_seconds =
      10;  ///< from the first byte of a request to the end of its head, TLS handshake included
  double body_seconds = 60;         ///< for the whole body
  int64_t min_body_rate = 1 << 10;  ///< bytes a second that a body must bring, on average after two seconds
  double idle_seconds = 75;         ///< between two requests of a connection
  double write_seconds = 30;        ///< without the client taking anything
};

/// What the server asks and tells. Each is called on the loop's thread and must not wait or compute.
struct Callbacks {
  /// Of a request's head: authorisation, host check, route.
  std::function<Admission(const Request& head)> admit;
  /// Of a whole request.
  std::function<void(std::shared_ptr<Exchange>)> handle;
  /// The body of an answer to what never became a request (bad framing, limits, timeouts): 400, 408, 413,
  /// 414, 431, 501, 503, 505. Its text is for people.
  std::function<Response(int status, const std::string& text)> refuse;
  /// Called once for each answer, when its last byte was taken or its client has gone. status 0: the client
  /// left before there was one. May be empty.
  std::function<void(const Request& request, int status, int64_t bytes_sent, double milliseconds)> done;
};

/// A listening server. Its loop runs on threads of its own.
class Server {
 public:
  /// Binds and listens. Error{unavailable} when it cannot, with address and reason; Error{usage} for options
  /// out of their range; Error{not_found, input_invalid} for certificate and key.
  Server(Options options, Callbacks callbacks);
  /// Closes every connection at once.
  ~Server();

  /// Begins to accept.
  void start();
  /// The port, once bound.
  uint16_t port() const;
  /// Where it listens, for people: "http://127.0.0.1:8080", "unix:/run/galago.sock".
  std::string address() const;
  /// Accepts nothing new any more; answers say Connection: close; idle connections are closed. What runs goes
  /// on.
  void drain();
  /// Exchanges that have not ended, and connections that are open.
  int64_t active() const;
  int64_t connections() const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace galago::http
