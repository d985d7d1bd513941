// Words for people: what they may have meant, and long texts made short.
// In: words of the command line, errors. Out: the nearest known word; errors of bounded length.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "galago/error.h"

namespace galago::cli {

/// Inserted, left out, changed and swapped letters between two words (optimal string alignment).
size_t edit_distance(std::string_view a, std::string_view b);

/// The known word that differs least from `word`, when that is at most a third of its letters (at least 1).
std::optional<std::string> nearest(std::string_view word, const std::vector<std::string>& known);

/// The text, or its beginning and end with "..." between them when it has more than `limit` bytes. Characters
/// of several bytes stay whole.
std::string shortened(std::string_view text, size_t limit);

/// A text of several lines with its first lines alone, at most `lines` after the first one and about `limit`
/// bytes; "and 50 more" counts the others, and those that such a last line counts already.
std::string first_lines(const std::string& text, size_t lines, size_t limit);

/// The error as it is told: an option of the library by the flag that sets it (top_p is --top-p), no part
/// longer than a few lines: a file's name, an argument or a value from a file may be of any length.
Error brief(const Error& error);

/// Ends with "s" unless there is one: 1 picture, 2 pictures.
std::string counted(long long count, const std::string& thing);

}  // namespace galago::cli
