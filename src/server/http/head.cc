// What Beast reads of a head that HeadReader let pass, and what Beast does not look at: Host, transfer
// codings other than chunked, two lengths that agree.
#include "server/http/head.h"

#include <boost/beast/http/empty_body.hpp>
#include <boost/beast/http/parser.hpp>

#include "server/http/text.h"

namespace galago::http {
namespace {

namespace beast = boost::beast::http;

Refusal bad(std::string text) { return {400, std::move(text)}; }

// All values of that name.
std::vector<std::string_view> values(const Headers& headers, std::string_view name) {
  std::vector<std::string_view> found;
  for (const auto& [key, value] : headers)
    if (equals(key, name)) found.push_back(value);
  return found;
}

std::optional<Refusal> read_host(std::string_view authority, Head& head) {
  const auto hosts = values(head.request.headers, "Host");
  if (hosts.size() > 1) return bad("there is more than one Host");
  if (hosts.empty() && head.minor == 1) return bad("there is no Host");
  if (!hosts.empty() && !is_host(hosts[0])) return bad("Host is not a host");
  if (authority.empty()) return std::nullopt;
  for (auto& [key, value] : head.request.headers)
    if (equals(key, "Host")) value = authority;
  return std::nullopt;
}

std::optional<Refusal> read_length(Head& head) {
  const auto codings = values(head.request.headers, "Transfer-Encoding");
  const auto lengths = values(head.request.headers, "Content-Length");
  if (!codings.empty() && !lengths.empty()) return bad("there are both Transfer-Encoding and Content-Length");
  if (lengths.size() > 1) return bad("there is more than one Content-Length");
  if (codings.size() > 1) return bad("there is more than one Transfer-Encoding");
  if (!codings.empty()) {
    if (head.minor == 0) return bad("HTTP/1.0 has no Transfer-Encoding");
    if (codings[0].empty()) return bad("Transfer-Encoding is empty");
    if (!equals(codings[0], "chunked"))
      return Refusal{501, "the only transfer coding spoken here is chunked"};
    head.chunked = true;
  }
  if (!lengths.empty()) {
    const auto length = parse_decimal(lengths[0]);
    if (!length) return bad("Content-Length is not a number of bytes");
    head.length = *length;
  }
  return std::nullopt;
}

void read_persistence(Head& head) {
  head.keep_alive = head.minor == 1;
  for (const std::string_view value : values(head.request.headers, "Connection"))
    if (head.minor == 0 && has_token(value, "keep-alive")) head.keep_alive = true;
  for (const std::string_view value : values(head.request.headers, "Connection"))
    if (has_token(value, "close")) head.keep_alive = false;
}

}  // namespace

std::variant<Head, Refusal> parse_head(std::string_view bytes, const HeadLimits& limits) {
  beast::request_parser<beast::empty_body> parser;
  parser.header_limit(static_cast<uint32_t>(limits.fields_bytes + limits.target_bytes + 1024));
  parser.body_limit(boost::none);
  boost::system::error_code error;
  parser.put(boost::asio::buffer(bytes.data(), bytes.size()), error);
  if (error || !parser.is_header_done()) return bad("the head is not one of HTTP/1.1: " + error.message());

  const auto& message = parser.get();
  Head head;
  head.minor = static_cast<int>(message.version() % 10);
  Request& request = head.request;
  request.method = message.method_string();
  request.target = message.target();
  for (const auto& field : message) request.headers.emplace_back(field.name_string(), field.value());

  const auto target = split_target(request.method, request.target);
  if (!target) return bad("the target is not one of HTTP");
  auto path = decode_percent(target->path);
  if (!path) return bad("the target's path has an escape that is none");
  request.path = std::move(*path);
  request.query = target->query;
  if (auto refusal = read_host(target->authority, head)) return *refusal;
  if (auto refusal = read_length(head)) return *refusal;
  read_persistence(head);
  for (const std::string_view value : values(request.headers, "Expect"))
    if (equals(value, "100-continue") && head.minor == 1) head.expects_continue = true;
  return head;
}

std::optional<Refusal> check_services(const Head& head) {
  for (const std::string_view value : values(head.request.headers, "Content-Encoding"))
    if (!equals(value, "identity"))
      return Refusal{415, "a body must not be compressed: send it without Content-Encoding"};
  for (const std::string_view value : values(head.request.headers, "Expect"))
    if (!equals(value, "100-continue")) return Refusal{417, "the only expectation met here is 100-continue"};
  return std::nullopt;
}

}  // namespace galago::http
