// The bytes of an answer's head. In: a Response and how its body is framed. Out: text for the wire.
#pragma once

#include <cstdint>
#include <ctime>
#include <optional>
#include <string>

#include "server/http/http.h"

namespace galago::http {

/// How the body of an answer ends.
struct Framing {
  std::optional<size_t> length{};  ///< null and not chunked: with the connection, or there is no body
  bool chunked = false;
  bool keep_alive = true;
  int minor = 1;  ///< of the request
};

/// Whether an answer of that status has a body.
bool has_body(int status);
/// Status line, the response's own headers, then Date, Content-Length or Transfer-Encoding, and Connection
/// (which the response must leave to this function: its own are dropped). Control characters become blanks.
std::string response_head(const Response& response, const Framing& framing, std::time_t now);

}  // namespace galago::http
