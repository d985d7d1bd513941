// One request through the API: its exchange, the headers of every answer to it, and its line of the log.
#pragma once

#include <atomic>
#include <chrono>
#include <memory>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

#include "server/api/api_error.h"
#include "server/api/options.h"
#include "server/http/http.h"

namespace galago::server {

class Metrics;

/// What the head of a request says for the log: its id, X-Request-Id as it came or a new one, and where it
/// came from.
LogRecord log_record(const http::Request& request);

/// Safe from any thread. The log hears of it when it goes away.
class Call {
 public:
  /// Those must outlive it. extra: headers of its answer.
  Call(std::shared_ptr<http::Exchange> exchange, http::Headers extra, const Log& log, Metrics& metrics);
  ~Call();
  Call(const Call&) = delete;
  Call& operator=(const Call&) = delete;

  const http::Request& request() const { return exchange_->request(); }
  http::Exchange& exchange() { return *exchange_; }
  const std::string& id() const { return record_.id; }
  double milliseconds() const;

  void respond(http::Response response);
  void respond(const ApiError& error);
  /// The same of what was thrown. Where there is no memory even for that, the exchange that goes away says
  /// so.
  void fail(const std::exception_ptr& error) noexcept;
  /// Opens a stream of events.
  void begin_events();
  bool begun() const { return begun_; }

  /// Keeps it until the call is over.
  void hold(std::shared_ptr<void> what) { held_.push_back(std::move(what)); }

  /// What the log is told beside.
  void note_error(const ApiError& error);
  void note_model(const std::string& name);
  void note_answer(const Answer& answer);

 private:
  std::shared_ptr<http::Exchange> exchange_;
  const http::Headers extra_;
  const Log& log_;
  Metrics& metrics_;
  const std::chrono::steady_clock::time_point begin_ = std::chrono::steady_clock::now();
  std::atomic<bool> begun_ = false;
  std::vector<std::shared_ptr<void>> held_;
  std::mutex mutex_;
  LogRecord record_;
};

}  // namespace galago::server
