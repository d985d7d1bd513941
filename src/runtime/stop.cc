// Stop strings over a stream of text. In: pieces. Out: certain text.
// Held back is the longest end of the text that begins a stop string: nothing that was let go can be part of
// a later match.
#include "runtime/stop.h"

#include <algorithm>
#include <utility>

namespace galago {
namespace {

// Bytes at the end of `text` that a stop string could still begin with; less than its whole length.
size_t possible_start(std::string_view text, std::string_view stop) {
  for (size_t n = std::min(text.size(), stop.size() - 1); n > 0; --n) {
    if (text.substr(text.size() - n) == stop.substr(0, n)) return n;
  }
  return 0;
}

}  // namespace

StopStrings::StopStrings(std::vector<std::string> stop) : stop_(std::move(stop)) {}

std::string StopStrings::push(std::string_view text) {
  if (found_) return {};
  held_ += text;
  size_t begin = std::string::npos;
  size_t end = std::string::npos;
  for (const std::string& stop : stop_) {
    const size_t at = held_.find(stop);
    if (at == std::string::npos) continue;
    const size_t after = at + stop.size();
    if (after < end || (after == end && at < begin)) {
      begin = at;
      end = after;
    }
  }
  if (begin != std::string::npos) {
    found_ = true;
    std::string certain = take(begin);
    held_.clear();
    return certain;
  }
  size_t waiting = 0;
  for (const std::string& stop : stop_) waiting = std::max(waiting, possible_start(held_, stop));
  return take(held_.size() - waiting);
}

std::string StopStrings::finish() { return take(held_.size()); }

std::string StopStrings::take(size_t count) {
  std::string taken = held_.substr(0, count);
  held_.erase(0, count);
  return taken;
}

}  // namespace galago
