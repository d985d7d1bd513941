// Text from files and users, made fit for an error message: short, one line, no control bytes.
// In: any bytes. Out: ASCII of bounded length. A terminal never sees an escape sequence that a file holds.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace galago {

/// The text with control characters as \u00HH and bytes that are no ASCII as \xHH, cut after `limit`
/// characters with "..." appended.
std::string printable(std::string_view text, size_t limit = 120);
/// printable() between double quotes.
std::string in_quotes(std::string_view text, size_t limit = 120);

}  // namespace galago
