// The readers of requests without a socket, in the order in which a connection uses them; and Beast's own
// parser beside them. Also for fuzz/targets/http.cc.
#pragma once

#include <boost/beast/http/parser.hpp>
#include <boost/beast/http/string_body.hpp>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "server/http/body.h"
#include "server/http/head.h"
#include "server/http/text.h"

namespace galago::http {

/// What a connection would understand of its bytes.
class Reading {
 public:
  Reading(const HeadLimits& limits, int64_t most_body)
      : limits_(limits), most_body_(most_body), heads_(limits) {}

  void feed(std::string_view bytes) {
    received_ += bytes;
    while (!closed_ && (body_ ? read_body() : read_head())) {
    }
  }
  const std::vector<Request>& requests() const { return requests_; }
  /// 200 for each request, then the status of a refusal.
  const std::vector<int>& statuses() const { return statuses_; }

 private:
  // Whether there may be more to read of what was received.
  bool read_head() {
    if (auto refusal = heads_.read(received_)) return refuse(*refusal);
    if (!heads_.complete()) return false;
    auto parsed = parse_head(
        std::string_view(received_).substr(heads_.begin(), heads_.end() - heads_.begin()), limits_);
    if (const auto* refusal = std::get_if<Refusal>(&parsed)) return refuse(*refusal);
    head_ = std::get<Head>(std::move(parsed));
    if (auto refusal = check_services(head_)) return refuse(*refusal);
    received_.erase(0, heads_.end());
    body_.emplace(head_, most_body_);
    return true;
  }
  bool read_body() {
    size_t taken = 0;
    if (auto refusal = body_->read(received_, taken)) return refuse(*refusal);
    received_.erase(0, taken);
    if (!body_->complete()) return false;
    head_.request.body = body_->take();
    closed_ = !head_.keep_alive;
    requests_.push_back(std::move(head_.request));
    statuses_.push_back(200);
    body_.reset();
    heads_ = HeadReader(limits_);
    return true;
  }
  bool refuse(const Refusal& refusal) {
    statuses_.push_back(refusal.status);
    closed_ = true;
    return false;
  }

  HeadLimits limits_;
  int64_t most_body_;
  HeadReader heads_;
  Head head_;
  std::optional<BodyReader> body_;
  std::string received_;
  bool closed_ = false;
  std::vector<Request> requests_;
  std::vector<int> statuses_;
};

/// Whether Beast reads these requests, one behind the other, out of the bytes; empty: it does. A header's
/// value is not compared where ours comes from the target.
inline std::string difference_from_beast(std::string_view bytes, const std::vector<Request>& requests) {
  namespace beast = boost::beast::http;
  for (const Request& request : requests) {
    while (bytes.substr(0, 2) == "\r\n") bytes.remove_prefix(2);
    beast::request_parser<beast::string_body> parser;
    parser.header_limit(1 << 20);
    parser.body_limit(boost::none);
    parser.eager(true);
    boost::system::error_code error;
    const size_t taken = parser.put(boost::asio::buffer(bytes.data(), bytes.size()), error);
    if (error == beast::error::bad_chunk_extension)
      return {};  // which nobody here reads: any characters will do
    if (error || !parser.is_done()) return request.target + ": not a request to Beast: " + error.message();
    bytes.remove_prefix(taken);
    const auto& message = parser.get();
    if (message.method_string() != request.method || message.target() != request.target)
      return request.target + ": line";
    if (message.body() != request.body) return request.target + ": body";
    for (size_t i = 0; i < request.headers.size(); ++i) {
      const auto& [name, value] = request.headers[i];
      auto [field, end] = message.equal_range(name);
      for (size_t before = 0; before < i && field != end; ++before)  // trailers of that name come behind
        if (equals(request.headers[before].first, name)) ++field;
      if (field == end || (request.target[0] == '/' && field->value() != value))
        return request.target + ": " + name;
    }
  }
  return {};
}

}  // namespace galago::http
