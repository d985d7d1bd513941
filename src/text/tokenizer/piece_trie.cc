// Built level by level: the texts below a node are a range of the sorted list, and a queue holds the ranges.
#include "text/tokenizer/piece_trie.h"

namespace galago {
namespace {

/// Texts [begin, end) share their first `depth` bytes, which lead to `node`.
struct Range {
  uint32_t node = 0;
  size_t begin = 0;
  size_t end = 0;
  size_t depth = 0;
};

}  // namespace

PieceTrie::PieceTrie(const std::vector<std::pair<std::string_view, int32_t>>& sorted) {
  nodes_.emplace_back();
  std::vector<Range> level = {{0, 0, sorted.size(), 0}};
  while (!level.empty()) {
    std::vector<Range> next;
    for (Range range : level) {
      if (range.begin < range.end && sorted[range.begin].first.size() == range.depth)
        nodes_[range.node].index = sorted[range.begin++].second;
      nodes_[range.node].first_child = static_cast<uint32_t>(nodes_.size());
      for (size_t at = range.begin; at < range.end;) {
        const char byte = sorted[at].first[range.depth];
        const size_t begin = at;
        while (at < range.end && sorted[at].first[range.depth] == byte) ++at;
        next.push_back({static_cast<uint32_t>(nodes_.size()), begin, at, range.depth + 1});
        nodes_.push_back({0, -1, 0, static_cast<uint8_t>(byte)});
        ++nodes_[range.node].children;
      }
    }
    level = std::move(next);
  }
}

}  // namespace galago
