// See the header.
#include "documents/words.h"

#include <cmath>

#include "core/utf8.h"
#include "text/unicode/unicode.h"

namespace galago::documents {

std::string_view stripped(std::string_view text) {
  while (!text.empty()) {
    const unicode::CodePoint point = unicode::decode_at(text, 0);
    if (!unicode::is_python_space(point.value)) break;
    text.remove_prefix(static_cast<size_t>(point.length));
  }
  while (!text.empty()) {
    const unicode::CodePoint point = unicode::decode_before(text, text.size());
    if (!unicode::is_python_space(point.value)) break;
    text.remove_suffix(static_cast<size_t>(point.length));
  }
  return text;
}

bool has_letter_or_digit(std::string_view text) {
  while (!text.empty()) {
    const unicode::CodePoint point = unicode::decode_at(text, 0);
    if (unicode::is_letter(point.value) || unicode::is_python_numeric(point.value)) return true;
    text.remove_prefix(static_cast<size_t>(point.length));
  }
  return false;
}

bool is_blank(std::string_view text) { return stripped(text).empty(); }

std::string clean_words(std::string bytes, bool keep_beginning) {
  std::string text = unicode::find_malformed(bytes) == std::string::npos ? std::move(bytes)
                                                                         : unicode::take_text(bytes, true);
  std::string_view kept = stripped(text);
  if (keep_beginning && !kept.empty()) {
    kept = std::string_view(text).substr(0, static_cast<size_t>(kept.data() + kept.size() - text.data()));
  }
  return kept.size() == text.size() ? text : std::string(kept);
}

std::optional<double> confidence_of(const TokenSum& sum) {
  if (sum.tokens <= 0) return std::nullopt;
  return std::exp(std::min(0.0, sum.logprob / static_cast<double>(sum.tokens)));
}

}  // namespace galago::documents
