// Words of a document: bytes of an answer as clean text.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "documents/doctags_lexer.h"

namespace galago::documents {

/// Without white space at both ends, as Python's str.strip does it.
std::string_view stripped(std::string_view text);
bool is_blank(std::string_view text);
/// Whether a character of it is what Python's str.isalnum takes for a letter or a digit.
bool has_letter_or_digit(std::string_view text);
/// UTF-8 without white space at its ends, or at its end alone; malformed parts are U+FFFD.
std::string clean_words(std::string bytes, bool keep_beginning = false);
/// The geometric mean of the probabilities; nothing without tokens.
std::optional<double> confidence_of(const TokenSum& sum);

}  // namespace galago::documents
