// The well-known pre-tokenizer patterns, written out as scanners that read the text once.
// In: UTF-8 and an offset. Out: the end of the match that begins there; these patterns match at every offset.
// Reference: GPT-2 encoder.py; the Split patterns of Llama 3 and Qwen 2 tokenizer.json files.
#pragma once

#include <cstddef>
#include <optional>
#include <string_view>

namespace galago {

/// Which pattern, and what varies in it.
struct WordScanner {
  enum class Kind { gpt2, llama3 } kind = Kind::gpt2;
  size_t digits = 0;  ///< llama3: digits in one piece at most

  /// End of the piece that begins at `offset` (offset < text.size()).
  size_t next(std::string_view text, size_t offset) const;
};

/// The scanner that equals this expression, when there is one.
std::optional<WordScanner> known_scanner(std::string_view expression);

/// GPT-2's pattern, which ByteLevel applies.
inline constexpr WordScanner kGpt2Scanner{WordScanner::Kind::gpt2, 0};

}  // namespace galago
