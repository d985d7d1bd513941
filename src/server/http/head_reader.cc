#include <algorithm>

#include "server/http/head.h"
#include "server/http/text.h"

namespace galago::http {
namespace {

constexpr int kMostBlankLines = 4;  // before a request line; old clients send one behind a body
constexpr int64_t kMostMethodBytes = 32;
constexpr int64_t kVersionBytes = 10;  // " HTTP/1.1" and one to spare

Refusal bad(std::string text) { return {400, std::move(text)}; }

std::optional<Refusal> check_request_line(std::string_view line, const HeadLimits& limits) {
  const size_t first = line.find(' '), last = line.rfind(' ');
  if (first == std::string_view::npos || first == last)
    return bad("the request line is not \"METHOD target HTTP/1.1\"");
  const std::string_view method = line.substr(0, first), version = line.substr(last + 1);
  const std::string_view target = line.substr(first + 1, last - first - 1);
  if (!is_token(method) || method.size() > kMostMethodBytes) return bad("the method is not a token");
  if (static_cast<int64_t>(target.size()) > limits.target_bytes)
    return Refusal{414, "the target is longer than " + std::to_string(limits.target_bytes) + " bytes"};
  if (line == "PRI * HTTP/2.0") return bad("HTTP/2 is not spoken here");
  if (version.size() != 8 || version.substr(0, 5) != "HTTP/" || version[6] != '.' || version[5] < '0' ||
      version[5] > '9' || version[7] < '0' || version[7] > '9')
    return bad("the request line does not end with a version of HTTP");
  if (version != "HTTP/1.1" && version != "HTTP/1.0")
    return Refusal{505, "only HTTP/1.1 and HTTP/1.0 are spoken here"};
  if (!split_target(method, target)) return bad("the target is not one of HTTP");
  return std::nullopt;
}

}  // namespace

std::optional<Refusal> check_field_line(std::string_view line) {
  if (line[0] == ' ' || line[0] == '\t') return bad("a header line begins with a blank");
  const size_t colon = line.find(':');
  if (colon == std::string_view::npos) return bad("a header line has no colon");
  if (!is_token(line.substr(0, colon))) return bad("a header's name is not a token");
  return std::nullopt;
}

std::optional<Refusal> HeadReader::take_line(std::string_view line) {
  if (lines_ == 0) {
    if (line.empty()) {
      if (++blank_lines_ > kMostBlankLines) return bad("blank lines in place of a request");
      begin_ = at_;
      return std::nullopt;
    }
    fields_begin_ = at_;
    ++lines_;
    return check_request_line(line, limits_);
  }
  complete_ = line.empty();
  if (complete_) return std::nullopt;
  if (lines_++ > limits_.fields)
    return Refusal{431, "there are more than " + std::to_string(limits_.fields) + " headers"};
  return check_field_line(line);
}

std::optional<Refusal> HeadReader::check_size(size_t line_bytes) const {
  if (lines_ == 0) {
    if (static_cast<int64_t>(line_bytes) > limits_.target_bytes + kMostMethodBytes + kVersionBytes)
      return Refusal{414, "the target is longer than " + std::to_string(limits_.target_bytes) + " bytes"};
  } else if (static_cast<int64_t>(at_ - fields_begin_) > limits_.fields_bytes) {
    return Refusal{431, "the headers are longer than " + std::to_string(limits_.fields_bytes) + " bytes"};
  }
  return std::nullopt;
}

std::optional<Refusal> HeadReader::read(std::string_view bytes) {
  for (; at_ < bytes.size() && !complete_;) {
    const char byte = bytes[at_];
    const bool after_return = at_ > line_ && bytes[at_ - 1] == '\r';
    ++at_;
    if (after_return != (byte == '\n')) return bad("a line does not end with carriage return and line feed");
    if (byte == '\n') {
      const std::string_view line = bytes.substr(line_, at_ - 2 - line_);
      line_ = at_;
      if (auto refusal = take_line(line)) return refusal;
    } else if ((static_cast<unsigned char>(byte) < ' ' && byte != '\t' && byte != '\r') || byte == 0x7f) {
      return bad("there is a control character in the request's head");
    } else if (at_ - line_ == 1 && lines_ == 0 && byte != '\r' && !is_token({&byte, 1})) {
      return bad("this is not a request of HTTP/1.1");
    }
    if (auto refusal = check_size(at_ - line_)) return refusal;
  }
  return std::nullopt;
}

}  // namespace galago::http
