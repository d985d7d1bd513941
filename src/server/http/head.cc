// What Beast reads of a head that HeadReader let pass, and what Beast does not look at: Host, transfer
// codings other than chunked, two lengths that agree.
#include "server/http/head.h"

#include <boost/beast/http/basic_parser.hpp>

#include "server/http/text.h"

namespace galago::http {
namespace {

namespace beast = boost::beast::http;

Refusal bad(std::string text) { return {400, std::move(text)}; }

// Keeps what Beast finds in a head, in its order. It sees no body.
class HeadParser final : public beast::basic_parser<true> {
 public:
  Head head;

 private:
  using Text = boost::beast::string_view;
  using Code = boost::beast::error_code;

  void on_request_impl(beast::verb, Text method, Text target, int version, Code&) override {
    head.request.method = method;
    head.request.target = target;
    head.minor = version % 10;
  }
  void on_field_impl(beast::field, Text name, Text value, Code&) override {
    head.request.headers.emplace_back(name, value);
  }
  void on_response_impl(int, Text, int, Code&) override {}
  void on_header_impl(Code&) override {}
  void on_body_init_impl(const boost::optional<uint64_t>&, Code&) override {}
  size_t on_body_impl(Text, Code&) override { return 0; }
  void on_chunk_header_impl(uint64_t, Text, Code&) override {}
  size_t on_chunk_body_impl(uint64_t, Text, Code&) override { return 0; }
  void on_finish_impl(Code&) override {}
};

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
  HeadParser parser;
  parser.header_limit(static_cast<uint32_t>(limits.fields_bytes + limits.target_bytes + 1024));
  parser.body_limit(boost::none);
  boost::beast::error_code error;
  parser.put(boost::asio::buffer(bytes.data(), bytes.size()), error);
  if (error || !parser.is_header_done()) return bad("the head is not one of HTTP/1.1: " + error.message());

  Head head = std::move(parser.head);
  Request& request = head.request;
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
