// Decides where an answer ends in its text. In: pieces of text as they become known.
// Out: text that certainly belongs to the answer; what could be the beginning of a stop string waits.
// Pieces may be cut anywhere: the outcome depends on the joined text alone.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace galago {

/// The stop string that is complete first ends the text (of several that end together, the longest).
class StopStrings {
 public:
  /// `stop` are non-empty texts; none at all lets everything pass.
  explicit StopStrings(std::vector<std::string> stop);

  /// More text -> what became certain. After a stop string was found: nothing.
  std::string push(std::string_view text);
  /// The text has ended: what still waited. Nothing when a stop string was found.
  std::string finish();
  /// Whether a stop string was found; it and what follows it are not part of the answer.
  bool found() const { return found_; }

 private:
  std::string take(size_t count);

  std::vector<std::string> stop_;
  std::string held_;
  bool found_ = false;
};

}  // namespace galago
