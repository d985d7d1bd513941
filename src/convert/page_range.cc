// See the header.
#include "convert/page_range.h"

#include <algorithm>
#include <charconv>
#include <limits>
#include <string>

#include "galago/error.h"

namespace galago::convert {
namespace {

constexpr int64_t kEnd = std::numeric_limits<int64_t>::max();

[[noreturn]] void refuse(std::string_view text) {
  throw Error(ErrorCode::usage, {.where = "--pages",
                                 .got = std::string(text),
                                 .expected = "pages from 1, such as 3, 2-5 or 1-3,7,10-"});
}

int64_t number(std::string_view text, int64_t otherwise, std::string_view whole) {
  if (text.empty()) return otherwise;
  int64_t value = 0;
  const auto read = std::from_chars(text.data(), text.data() + text.size(), value);
  if (read.ec != std::errc{} || read.ptr != text.data() + text.size() || value < 1) refuse(whole);
  return value;
}

}  // namespace

PageRange PageRange::parse(std::string_view text) {
  PageRange range;
  for (std::string_view rest = text;;) {
    const size_t comma = std::min(rest.find(','), rest.size());
    const std::string_view part = rest.substr(0, comma);
    const size_t dash = part.find('-');
    if (part.empty() || part == "-") refuse(text);
    const int64_t first = number(part.substr(0, std::min(dash, part.size())), 1, text);
    const int64_t last = dash == std::string_view::npos ? first : number(part.substr(dash + 1), kEnd, text);
    if (last < first) refuse(text);
    range.spans_.emplace_back(first, last);
    if (comma == rest.size()) return range;
    rest.remove_prefix(comma + 1);
  }
}

bool PageRange::has(int64_t page) const {
  return spans_.empty() || std::ranges::any_of(spans_, [page](const auto& span) {
           return span.first <= page && page <= span.second;
         });
}

}  // namespace galago::convert
