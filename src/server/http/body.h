// The body of a request out of its transfer coding, RFC 9112 sections 6 and 7. No socket. In: bytes as they
// come. Out: the body, bounded, or a Refusal.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "server/http/head.h"

namespace galago::http {

/// Reads one body, of a known length or chunked. It takes memory for what came, not for what was announced.
class BodyReader {
 public:
  /// At most `most` bytes.
  BodyReader(const Head& head, int64_t most);

  /// Takes what it can of `bytes`; the number of bytes taken goes to `taken`.
  std::optional<Refusal> read(std::string_view bytes, size_t& taken);
  bool complete() const { return state_ == State::complete; }
  /// The body, once complete.
  std::string take() { return std::move(body_); }

 private:
  enum class State { data, chunk_size, chunk_data, chunk_end, trailers, complete };

  std::optional<Refusal> read_line(std::string_view bytes, size_t& taken);
  std::optional<Refusal> take_size(std::string_view line);
  std::optional<Refusal> take_data(std::string_view bytes, size_t& taken);
  Refusal too_large() const;

  State state_;
  int64_t most_;
  int64_t left_ = 0;      // of the body or the chunk
  int64_t framing_ = 0;   // bytes that are not of the body
  size_t trailers_ = 0;   // bytes
  size_t looked_at_ = 0;  // bytes of the line that has not ended yet
  std::string body_;
};

}  // namespace galago::http
