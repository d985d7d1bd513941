// The character map of a SentencePiece normalizer: which bytes become which, packed in one table.
// In: the bytes of "precompiled_charsmap" (a double-array trie and the texts it points to); UTF-8. Out: the
// text that a prefix becomes. Every step in the table is checked against its size.
// Reference: sentencepiece normalizer.cc, PrefixMatcher and NormalizePrefix; Darts-clone's unit layout.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "text/marked_text.h"

namespace galago {

/// Immutable, thread-safe.
class Charsmap {
 public:
  /// Error{model_invalid} when the sizes do not add up, when the table leads in a circle or when a prefix may
  /// have more than 128 bytes. `where` names the map in errors.
  static Charsmap parse(std::string_view bytes, const std::string& where);

  /// Every longest prefix that the map knows replaced, from left to right, as sentencepiece does.
  MarkedText replace_longest(const MarkedText& text) const;
  /// As the `tokenizers` library does: a character as its reader sees it (a grapheme) of less than six bytes
  /// is looked up as one, by its shortest known prefix; others code point by code point.
  MarkedText replace_graphemes(const MarkedText& text) const;

 private:
  struct Match {
    size_t length = 0;         ///< of the known prefix
    uint32_t replacement = 0;  ///< where its text begins
  };
  std::optional<Match> find(std::string_view text, bool longest) const;
  std::string_view replacement_at(uint32_t offset) const;

  std::vector<uint32_t> units_;
  std::string replacements_;  ///< texts, each ended by a zero byte
  std::string where_;
};

}  // namespace galago
