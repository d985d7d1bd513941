#include "server/http/body.h"

#include <algorithm>
#include <charconv>

#include "server/http/text.h"

namespace galago::http {
namespace {

constexpr size_t kMostLineBytes = 4 << 10;  // of a chunk's size with its extensions, of a trailer
constexpr size_t kMostTrailerBytes = 16 << 10;
constexpr int64_t kFramingFree = 16 << 10;  // bytes of framing that any body may have
constexpr int64_t kFramingPerBodyByte = 8;  // and more for each of its bytes: chunks of one byte take 5

Refusal bad(std::string text) { return {400, std::move(text)}; }

// Trailers are checked and dropped; those that would have said how to read the request are refused.
std::optional<Refusal> check_trailer(std::string_view line) {
  if (auto refusal = check_field_line(line)) return refusal;
  const std::string_view name = line.substr(0, line.find(':'));
  for (const char* framing :
       {"Content-Length", "Transfer-Encoding", "Connection", "Proxy-Connection", "Host"})
    if (equals(name, framing)) return bad("a trailer is named " + std::string(framing));
  return std::nullopt;
}

}  // namespace

BodyReader::BodyReader(const Head& head, int64_t most)
    : state_(head.chunked ? State::chunk_size : State::data), most_(most), left_(head.length) {
  if (!head.chunked && head.length == 0) state_ = State::complete;
}

Refusal BodyReader::too_large() const {
  return {413, "the body is longer than " + std::to_string(most_) + " bytes"};
}

std::optional<Refusal> BodyReader::read(std::string_view bytes, size_t& taken) {
  taken = 0;
  if (state_ == State::data && left_ > most_) return too_large();
  while (state_ != State::complete) {
    const size_t before = taken;
    const State state = state_;
    auto refusal = state_ == State::data || state_ == State::chunk_data ? take_data(bytes, taken)
                                                                        : read_line(bytes, taken);
    if (refusal) return refusal;
    if (taken == before && state_ == state) break;  // more must come first
  }
  return std::nullopt;
}

std::optional<Refusal> BodyReader::take_data(std::string_view bytes, size_t& taken) {
  const size_t count = std::min(bytes.size() - taken, static_cast<size_t>(left_));
  body_.append(bytes.substr(taken, count));
  taken += count;
  left_ -= static_cast<int64_t>(count);
  if (left_ == 0) state_ = state_ == State::data ? State::complete : State::chunk_end;
  return std::nullopt;
}

std::optional<Refusal> BodyReader::read_line(std::string_view bytes, size_t& taken) {
  const std::string_view rest = bytes.substr(taken);
  size_t end = looked_at_;
  while (end < rest.size() && rest[end] != '\n') {
    const char byte = rest[end];
    if ((static_cast<unsigned char>(byte) < ' ' && byte != '\t' && byte != '\r') || byte == 0x7f)
      return bad("there is a control character in the chunks' framing");
    if (end > 0 && rest[end - 1] == '\r') return bad("a line of the chunks' framing does not end as one");
    if (++end > kMostLineBytes) return bad("a line of the chunks' framing is longer than 4096 bytes");
  }
  // A chunk's data is followed by exactly two bytes: what else comes is told at once, not at the next line
  // end.
  if (state_ == State::chunk_end && end > 0 && (rest[0] != '\r' || end > 1))
    return bad("a chunk is longer than its size");
  looked_at_ = end;
  if (end == rest.size()) return std::nullopt;
  if (end == 0 || rest[end - 1] != '\r') return bad("a line of the chunks' framing does not end as one");
  const std::string_view line = rest.substr(0, end - 1);
  looked_at_ = 0;
  taken += end + 1;
  framing_ += static_cast<int64_t>(end + 1);
  if (state_ == State::trailers && (trailers_ += end + 1) > kMostTrailerBytes)
    return Refusal{431, "the trailers are longer than 16384 bytes"};
  if (framing_ > kFramingFree + kFramingPerBodyByte * static_cast<int64_t>(body_.size()))
    return bad("the chunks' framing is out of proportion to their bytes");
  if (state_ == State::chunk_size) return take_size(line);
  if (state_ == State::chunk_end) {
    state_ = State::chunk_size;
  } else if (line.empty()) {
    state_ = State::complete;
  } else {
    return check_trailer(line);
  }
  return std::nullopt;
}

std::optional<Refusal> BodyReader::take_size(std::string_view line) {
  uint64_t size = 0;
  const char* const last = line.data() + line.size();
  const auto [end, error] = std::from_chars(line.data(), last, size, 16);
  if (line.empty() || line[0] == '-' || error == std::errc::invalid_argument)
    return bad("a chunk's size is not one");
  const size_t digits = static_cast<size_t>(end - line.data());
  if (error != std::errc() || digits > 16) return bad("a chunk's size is not one");
  if (!is_chunk_extension(line.substr(digits))) return bad("behind a chunk's size there is something else");
  if (size > static_cast<uint64_t>(most_) - body_.size()) return too_large();
  left_ = static_cast<int64_t>(size);
  state_ = size == 0 ? State::trailers : State::chunk_data;
  return std::nullopt;
}

}  // namespace galago::http
