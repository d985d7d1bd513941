// Text that remembers which of its bytes a user typed, through every operation of templates and normalizers.
// In: UTF-8. Out: UTF-8 and runs of equal origin. Used by the chat template (what a template does with a
// message keeps its mark) and by the tokenizer (special tokens are looked for in unmarked bytes only).
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "text/segment.h"

namespace galago {

class MarkedText {
 public:
  /// A run of bytes of one origin; it begins where the run before it ends.
  struct Run {
    size_t end = 0;
    bool user = false;
  };

  MarkedText() = default;
  explicit MarkedText(std::string_view text, bool user = false) { append(text, user); }
  explicit MarkedText(const Segments& segments);

  void append(std::string_view text, bool user);
  void append(const MarkedText& other);
  /// Bytes [begin, end) of another text, with their marks.
  void append(const MarkedText& other, size_t begin, size_t end);

  /// Bytes [begin, end), with their marks.
  MarkedText slice(size_t begin, size_t end) const;
  /// Whether any byte of [begin, end) is a user's.
  bool any_user(size_t begin, size_t end) const;
  bool any_user() const { return any_user(0, text_.size()); }
  Segments segments() const;

  const std::string& text() const { return text_; }
  const std::vector<Run>& runs() const { return runs_; }
  size_t size() const { return text_.size(); }
  bool empty() const { return text_.empty(); }

  /// Every run's text replaced by change(text), marks kept.
  template <typename Change>
  MarkedText map_runs(const Change& change) const {
    MarkedText out;
    size_t begin = 0;
    for (const Run& run : runs_) {
      out.append(change(std::string_view(text_).substr(begin, run.end - begin)), run.user);
      begin = run.end;
    }
    return out;
  }

 private:
  /// Index of the run that holds byte `offset`; runs_.size() at the end of the text.
  size_t run_at(size_t offset) const;

  std::string text_;
  std::vector<Run> runs_;
};

}  // namespace galago
