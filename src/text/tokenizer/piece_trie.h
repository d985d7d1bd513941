// Texts of a set that begin at a place in another text: all of them in one walk.
// In: texts with an index each. Out: (end, index) of every text of the set that begins there, shortest first.
// A walk takes as many steps as the longest text of the set has bytes, and no more.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>
#include <utility>
#include <vector>

namespace galago {

/// Immutable, thread-safe.
class PieceTrie {
 public:
  PieceTrie() = default;
  /// Texts must be sorted by their bytes (as std::string_view compares), each there once and not empty.
  explicit PieceTrie(const std::vector<std::pair<std::string_view, int32_t>>& sorted);

  /// Calls found(end, index) for each text of the set that begins at `at`.
  template <typename Found>
  void match(std::string_view text, size_t at, const Found& found) const {
    uint32_t node = 0;
    for (; at < text.size(); ++at) {
      if (!step(node, static_cast<uint8_t>(text[at]))) return;
      if (nodes_[node].index >= 0) found(at + 1, nodes_[node].index);
    }
  }

 private:
  /// Children lie side by side, sorted by their byte.
  struct Node {
    uint32_t first_child = 0;
    int32_t index = -1;  ///< of the text that ends here
    uint16_t children = 0;
    uint8_t byte = 0;
  };

  bool step(uint32_t& node, uint8_t byte) const {
    if (nodes_.empty()) return false;
    uint32_t begin = nodes_[node].first_child;
    uint32_t end = begin + nodes_[node].children;
    while (begin < end) {
      const uint32_t middle = begin + (end - begin) / 2;
      if (nodes_[middle].byte == byte) {
        node = middle;
        return true;
      }
      if (nodes_[middle].byte < byte) {
        begin = middle + 1;
      } else {
        end = middle;
      }
    }
    return false;
  }

  std::vector<Node> nodes_;
};

}  // namespace galago
