// A prompt as pieces of text that remember where they came from.
// Control text (from a template or the engine) may hold special tokens; user text is never parsed for them
// unless asked.
#pragma once

#include <string>
#include <vector>

namespace galago {

struct Segment {
  std::string text;   ///< UTF-8
  bool user = false;  ///< true: typed by a user, special tokens in it are ordinary text
};

using Segments = std::vector<Segment>;

/// All texts joined.
inline std::string joined(const Segments& segments) {
  std::string text;
  for (const Segment& s : segments) text += s.text;
  return text;
}

}  // namespace galago
