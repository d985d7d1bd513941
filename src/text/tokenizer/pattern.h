// The patterns of a tokenizer file: where they match in a text.
// In: a literal or a regular expression, UTF-8 text. Out: matches in order, not overlapping, possibly empty.
// Patterns that occur in the supported models are hand-written scanners (scanners.h), linear in the text;
// others are run by regex.h with a budget of steps. Reference: Oniguruma as the `tokenizers` library uses it.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "formats/json.h"

namespace galago {

/// Bytes [begin, end) of a text.
struct Span {
  size_t begin = 0;
  size_t end = 0;
};

/// Immutable, thread-safe, cheap to copy.
class Pattern {
 public:
  /// {"String": "..."} or {"Regex": "..."}. Error{model_invalid} names the field of a bad pattern.
  static Pattern from_json(const JsonField& field);
  static Pattern literal(std::string text);
  static Pattern regex(const std::string& expression, const std::string& where);

  using Visit = std::function<void(Span)>;
  /// Visits all matches, one after the other. Error{model_invalid} when a pattern gives up at its limit of
  /// steps.
  void for_each(std::string_view text, const Visit& visit) const { (*finder_)(text, visit); }

 private:
  using Finder = std::function<void(std::string_view, const Visit&)>;
  explicit Pattern(Finder finder) : finder_(std::make_shared<const Finder>(std::move(finder))) {}
  std::shared_ptr<const Finder> finder_;
};

}  // namespace galago
