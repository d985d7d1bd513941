// Python's string operations on marked text: every byte keeps the mark of who wrote it.
// In: texts. Out: texts. Positions are code points, as in Python. Reference: Python 3 str.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "text/jinja/value.h"
#include "text/marked_text.h"

namespace galago::jinja {

enum class Side { left, right, both };

/// Without the characters of `characters` at its ends; without white space when there are none given.
MarkedText strip(const MarkedText& text, std::optional<std::string_view> characters, Side side, Meter& meter);
/// Parts between separators (at most `most` cuts), or between runs of white space when there is no separator.
std::vector<MarkedText> split(const MarkedText& text, std::optional<std::string_view> separator, int64_t most,
                              Meter& meter);
/// The same with the cuts counted from the end.
std::vector<MarkedText> split_backwards(const MarkedText& text, std::optional<std::string_view> separator,
                                        int64_t most, Meter& meter);
/// Lines as Python's str.splitlines finds them, with or without their ends.
std::vector<MarkedText> split_lines(const MarkedText& text, bool keep_ends, Meter& meter);
/// The first `most` copies of `from` replaced.
MarkedText replace(const MarkedText& text, std::string_view from, const MarkedText& to, int64_t most,
                   Meter& meter);
MarkedText upper(const MarkedText& text);
MarkedText lower(const MarkedText& text);
MarkedText swap_case(const MarkedText& text);
/// First character title case, the others lower case.
MarkedText capitalize(const MarkedText& text);
/// str.title: every letter that follows none in title case, the others lower case.
MarkedText title(const MarkedText& text);
/// Jinja's filter title: what follows white space or one of -({[< in upper case, the others lower case.
MarkedText title_words(const MarkedText& text);

/// Start, stop and step of a slice as Python reads them for a length; step is not 0.
struct SliceBounds {
  int64_t start = 0;
  int64_t stop = 0;
  int64_t step = 1;
};
SliceBounds slice_bounds(int64_t length, std::optional<int64_t> start, std::optional<int64_t> stop,
                         int64_t step);
/// Byte offsets of each code point, and the length at the end.
std::vector<size_t> code_point_offsets(std::string_view text);

}  // namespace galago::jinja
