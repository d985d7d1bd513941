// Which pages of a file: "1-3,7,10-". In: a text. Out: whether a page is among them.
#pragma once

#include <cstdint>
#include <string_view>
#include <utility>
#include <vector>

namespace galago::convert {

class PageRange {
 public:
  /// All pages.
  PageRange() = default;
  /// Numbers and spans, from 1, with commas between: "3", "2-5", "7-" to the end, "-3" from the beginning.
  /// Error{usage}.
  static PageRange parse(std::string_view text);

  bool has(int64_t page) const;

 private:
  std::vector<std::pair<int64_t, int64_t>> spans_;  // first and last; none: all
};

}  // namespace galago::convert
