// See the header. Ids: X-Request-Id as it came, or a new one; traceparent (W3C Trace Context) is passed to
// the log.
#include "server/api/call.h"

#include <algorithm>

#include "server/api/answer_json.h"
#include "server/api/metrics.h"

namespace galago::server {
namespace {

constexpr size_t kLongestId = 128;

// What may stand in a header and a log: visible ASCII.
bool fit(const std::string& id) {
  return !id.empty() && id.size() <= kLongestId && std::all_of(id.begin(), id.end(), [](char c) {
    return c > ' ' && c < 127 && c != '"' && c != '\\';
  });
}

std::string fit_header(const http::Request& request, const char* name) {
  const std::string* value = http::find(request.headers, name);
  return value && fit(*value) ? *value : std::string();
}

void append(http::Headers& to, const http::Headers& more) { to.insert(to.end(), more.begin(), more.end()); }

http::Headers with_id(http::Headers headers, const std::string& id) {
  headers.emplace_back("X-Request-Id", id);
  return headers;
}

std::string id_of(const http::Request& request) {
  const std::string id = fit_header(request, "x-request-id");
  return id.empty() ? new_id("req_") : id;
}

}  // namespace

LogRecord log_record(const http::Request& request) {
  LogRecord record;
  record.id = id_of(request);
  record.trace = fit_header(request, "traceparent");
  record.peer = request.peer;
  record.method = request.method;
  record.path = request.path;
  return record;
}

Call::Call(std::shared_ptr<http::Exchange> exchange, http::Headers extra, const Log& log, Metrics& metrics)
    : exchange_(std::move(exchange)),
      extra_(with_id(std::move(extra), id_of(exchange_->request()))),
      log_(log),
      metrics_(metrics) {
  record_ = log_record(exchange_->request());
  record_.id = extra_.back().second;
}

Call::~Call() {
  record_.milliseconds = milliseconds();
  if (exchange_->gone()) {
    if (record_.status != 0 && record_.error.empty()) record_.error = "client_left";
    ++metrics_.clients_left;
  }
  metrics_.count_request(record_.path, record_.status);
  if (log_) log_(record_);
}

double Call::milliseconds() const {
  return std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - begin_).count();
}

void Call::respond(http::Response response) {
  {
    const std::lock_guard lock(mutex_);
    record_.status = response.status;
  }
  append(response.headers, extra_);
  exchange_->respond(std::move(response));
}

void Call::respond(const ApiError& error) {
  note_error(error);
  respond(error_response(error));
}

void Call::fail(const std::exception_ptr& error) noexcept {
  try {
    respond(as_api_error(error));
  } catch (...) {  // no memory for it, either
  }
}

void Call::begin_events() {
  begun_ = true;
  {
    const std::lock_guard lock(mutex_);
    record_.status = 200;
  }
  http::Response head{.status = 200,
                      .headers = {{"Content-Type", "text/event-stream; charset=utf-8"},
                                  {"Cache-Control", "no-cache"},
                                  {"X-Accel-Buffering", "no"}},
                      .body = {}};
  append(head.headers, extra_);
  exchange_->begin(std::move(head));
}

void Call::note_error(const ApiError& error) {
  const std::lock_guard lock(mutex_);
  record_.error = log_text(error);
}

void Call::note_model(const std::string& name) {
  const std::lock_guard lock(mutex_);
  record_.model = name;
}

void Call::note_answer(const Answer& answer) {
  const std::lock_guard lock(mutex_);
  if (record_.finish.empty()) {
    record_.finish = to_string(answer.finish_reason);
    record_.timings = answer.timings;
    record_.usage = answer.usage;
  } else {
    record_.usage.completion_tokens += answer.usage.completion_tokens;
  }
}

}  // namespace galago::server
