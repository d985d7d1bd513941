// Runs are kept joined: neighbours differ in origin, so a text of one author is one run whatever was done to
// it. In and out: see marked_text.h. Offsets are bytes.
#include "text/marked_text.h"

#include <algorithm>

namespace galago {

MarkedText::MarkedText(const Segments& segments) {
  for (const Segment& segment : segments) append(segment.text, segment.user);
}

void MarkedText::append(std::string_view text, bool user) {
  if (text.empty()) return;
  text_.append(text);
  if (!runs_.empty() && runs_.back().user == user) {
    runs_.back().end = text_.size();
  } else {
    runs_.push_back({text_.size(), user});
  }
}

void MarkedText::append(const MarkedText& other) { append(other, 0, other.size()); }

void MarkedText::append(const MarkedText& other, size_t begin, size_t end) {
  for (size_t r = other.run_at(begin); begin < end; ++r) {
    const size_t stop = std::min(end, other.runs_[r].end);
    append(std::string_view(other.text_).substr(begin, stop - begin), other.runs_[r].user);
    begin = stop;
  }
}

MarkedText MarkedText::slice(size_t begin, size_t end) const {
  MarkedText out;
  out.append(*this, begin, end);
  return out;
}

bool MarkedText::any_user(size_t begin, size_t end) const {
  for (size_t r = run_at(begin); r < runs_.size() && begin < end; ++r) {
    if (runs_[r].user) return true;
    begin = runs_[r].end;
  }
  return false;
}

Segments MarkedText::segments() const {
  Segments out;
  size_t begin = 0;
  for (const Run& run : runs_) {
    out.push_back({text_.substr(begin, run.end - begin), run.user});
    begin = run.end;
  }
  return out;
}

size_t MarkedText::run_at(size_t offset) const {
  const auto found = std::upper_bound(runs_.begin(), runs_.end(), offset,
                                      [](size_t value, const Run& run) { return value < run.end; });
  return static_cast<size_t>(found - runs_.begin());
}

}  // namespace galago
