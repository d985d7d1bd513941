// The patterns of a tokenizer file: where they match in a text.
// In: a literal or a regular expression, UTF-8 text. Out: matches in order, not overlapping, possibly empty.
// Patterns that occur in the supported models are hand-written scanners (scanners.h), linear in the text;
// others run in PCRE2 with match limits. Reference: Oniguruma as the `tokenizers` library uses it.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "io/json.h"

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

  /// All matches. Error{model_invalid} when a pattern gives up at its match limit.
  std::vector<Span> find_all(std::string_view text) const;

 private:
  using Finder = std::function<std::vector<Span>(std::string_view)>;
  explicit Pattern(Finder finder) : finder_(std::make_shared<const Finder>(std::move(finder))) {}
  std::shared_ptr<const Finder> finder_;
};

}  // namespace galago
