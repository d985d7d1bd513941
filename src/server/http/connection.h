// One connection: reads its requests one after the other, asks for their answers and sends them. Everything
// of it happens on a strand of the event loop, in two coroutines, one that reads bytes and one that acts on
// what there is, and never waits for a handler.
#pragma once

#include <array>
#include <atomic>
#include <boost/asio/as_tuple.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/generic/stream_protocol.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ssl/context.hpp>
#include <boost/asio/ssl/stream.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <chrono>
#include <deque>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "server/http/answer.h"
#include "server/http/head.h"
#include "server/http/http.h"
#include "server/http/response.h"

namespace galago::http {

using Socket = boost::asio::generic::stream_protocol::socket;
using Clock = std::chrono::steady_clock;

/// What is awaited gives its error, and throws none.
inline constexpr auto kAwait = boost::asio::as_tuple(boost::asio::use_awaitable);

inline Clock::duration seconds(double count) {
  return std::chrono::duration_cast<Clock::duration>(std::chrono::duration<double>(count));
}

class Connection;

/// A body's share of Hub::held_bodies, for as long as it lives.
class HeldBody {
 public:
  explicit HeldBody(std::atomic<int64_t>& total) : total_(total) {}
  ~HeldBody() { total_ -= bytes_; }
  HeldBody(const HeldBody&) = delete;
  HeldBody& operator=(const HeldBody&) = delete;
  /// Takes more; false when the bodies of all are more than `most` then.
  bool add(int64_t bytes, int64_t most) {
    bytes_ += bytes;
    return (total_ += bytes) <= most;
  }

 private:
  std::atomic<int64_t>& total_;
  int64_t bytes_ = 0;
};

/// What the connections of a server share. It outlives them.
struct Hub {
  Options options;
  Callbacks callbacks;
  std::optional<boost::asio::ssl::context> tls{};
  std::atomic<bool> draining = false;
  std::atomic<int64_t> active = 0;       ///< exchanges that have not ended
  std::atomic<int64_t> held_bodies = 0;  ///< bytes

  std::mutex mutex{};  ///< what is below
  bool closing = false;
  std::unordered_map<Connection*, std::weak_ptr<Connection>> open{};
};

class Connection : public std::enable_shared_from_this<Connection> {
 public:
  /// `socket`: non-blocking, its executor a strand.
  Connection(Socket socket, std::string peer, Hub& hub);

  /// Begins to read, unless the hub is closing. Not `welcome`: answers 503 and closes.
  void start(bool welcome);
  // From any thread.
  void close();
  /// To look at Hub::draining again.
  void notice_drain();
  /// Since when it has waited for a request; none while it has one.
  std::optional<Clock::time_point> idle_since() const;
  /// Closes it if it still waits.
  void close_idle();

 private:
  template <class T>
  using Task = boost::asio::awaitable<T>;

  /// Bytes for the socket; `counted`: they are of Exchange::write().
  struct Piece {
    std::string bytes;
    bool counted = false;
  };
  /// How far the answer is that is on its way.
  struct Progress {
    int status = 0;  // 0: not begun
    bool keep_alive = false;
    bool chunked = false;
    bool without_body = false;
    bool ended = false;
    bool broken = false;  // ended in its middle
  };

  static Task<void> run(std::shared_ptr<Connection> self, bool welcome);
  static Task<void> read_ahead(std::shared_ptr<Connection> self);
  Task<void> read_some();
  Task<void> read_some_tls();
  Task<bool> handshake();

  Task<bool> serve_request();
  Task<void> refuse_connection();
  Task<bool> wait_for_request();
  Task<std::optional<Head>> read_head();
  Task<bool> read_body(Head& head, int64_t most, HeldBody& held);
  Task<bool> answer(Head head);
  // g++ 12: a temporary among the arguments of what is awaited may be destroyed twice, and an operand of &&
  // is awaited though the one before is false. So neither is written.
  Task<void> refuse(const Request& request, const Refusal& refusal);
  Task<void> send_refusal(const Request& request, Response& response);
  Task<bool> flush();
  Task<void> linger();

  /// Until something changed, or the deadline. Spurious ends are many.
  Task<void> wait_until(Clock::time_point deadline);
  void notify();
  bool lost() const { return closed_ || ended_ || failed_; }

  void take_answer(const Head& head);
  void put_head(const Response& response, const Head& head, bool streams);
  void put(std::string bytes, bool counted);
  void start_write();
  void wrote(const boost::system::error_code& error, size_t count);
  void leave_answer(bool gone);
  void tell_done(const Request& request, int status);
  Response refusal_of(const Refusal& refusal) const;
  void close_now(bool reset);

  Socket socket_;
  std::optional<boost::asio::ssl::stream<Socket&>> tls_;
  const std::string peer_;
  Hub& hub_;
  boost::asio::steady_timer changed_;  // cancelled when anything changed
  boost::asio::steady_timer room_;     // cancelled when received_ has become shorter

  std::atomic<Clock::rep> idle_since_ = 0;  // 0: it has a request
  std::string received_;                    // and not understood yet
  std::vector<char> tls_bytes_;             // where TLS puts what it reads next
  Clock::time_point received_at_{};
  bool ended_ = false;   // the client sends no more
  bool failed_ = false;  // a write failed
  bool closed_ = false;
  bool discarding_ = false;  // of what is received

  std::deque<Piece> unsent_;
  size_t first_sent_ = 0;  // bytes of the first of them that the socket took
  std::array<boost::asio::const_buffer, 16> writing_{};
  bool is_writing_ = false;
  Clock::time_point write_progress_{};

  std::shared_ptr<Answer> answer_;
  Progress progress_;
  int64_t bytes_sent_ = 0;  // of the answer
  Clock::time_point request_began_{};
};

}  // namespace galago::http
