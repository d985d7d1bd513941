// The head of a request, from its bytes to what the server acts on, by the rules of RFC 9112 and without
// forgiveness: what two readers could understand differently is refused. No socket. In: bytes as they come.
// Out: a Head, or a Refusal.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <variant>

#include "server/http/http.h"

namespace galago::http {

/// Why a request is not taken.
struct Refusal {
  int status = 400;
  std::string text;
};

struct HeadLimits {
  int64_t fields_bytes = 16 << 10;  ///< of the lines behind the request line
  int64_t fields = 100;
  int64_t target_bytes = 8 << 10;
};

/// Finds the end of a head while its bytes come in, and refuses what can be told from lines and bytes alone:
/// control characters, line ends of one byte, folded lines, sizes. Each byte is looked at once.
class HeadReader {
 public:
  explicit HeadReader(const HeadLimits& limits) : limits_(limits) {}

  /// `bytes`: all since the end of the request before, at least what the last call had.
  std::optional<Refusal> read(std::string_view bytes);
  /// Once the blank line has come.
  bool complete() const { return complete_; }
  /// Where the request line begins, behind blank lines, and where the head ends. Once complete.
  size_t begin() const { return begin_; }
  size_t end() const { return at_; }

 private:
  std::optional<Refusal> take_line(std::string_view line);
  std::optional<Refusal> check_size(size_t line_bytes) const;

  HeadLimits limits_;
  size_t at_ = 0;     // bytes looked at
  size_t line_ = 0;   // where the line at at_ begins
  size_t begin_ = 0;  // of the request line
  size_t fields_begin_ = 0;
  int64_t lines_ = 0;  // of the head, complete ones
  int blank_lines_ = 0;
  bool complete_ = false;
};

/// What a head says.
struct Head {
  Request request;  ///< without body; Host is that of the target where the target has one
  int minor = 1;    ///< HTTP/1.minor
  bool keep_alive = true;
  bool chunked = false;
  int64_t length = 0;  ///< of the body, unless it is chunked
  bool expects_continue = false;
};

/// `head` from its request line to its blank line, as HeadReader found it.
std::variant<Head, Refusal> parse_head(std::string_view head, const HeadLimits& limits);
/// Why a head that the server could act on is not served: codings and expectations that it does not have.
std::optional<Refusal> check_services(const Head& head);

/// The refusal of one field's line, told by name and value; also for trailers.
std::optional<Refusal> check_field_line(std::string_view line);

}  // namespace galago::http
