// Added tokens: texts such as "<image>" that become one id before anything else looks at the prompt.
// In: the "added_tokens" field, a prompt whose bytes know who wrote them. Out: the prompt cut into found
// tokens and the text between them. Matching is leftmost-longest; tokens marked "normalized" are looked for
// in the normalized text, the others before. Reference: `tokenizers` added_vocabulary.rs.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "formats/json.h"
#include "text/marked_text.h"
#include "text/tokenizer/normalizer.h"
#include "text/tokenizer/vocabulary.h"

namespace galago {

/// One entry of "added_tokens".
struct AddedToken {
  std::string content;
  std::string decoded;  ///< what decoding sees: the content, normalized when the token is
  int32_t id = 0;
  bool single_word = false;  ///< only where no word character touches it
  bool lstrip = false;       ///< takes the spaces before it
  bool rstrip = false;       ///< takes the spaces behind it
  bool normalized = false;
  bool special = false;
};

/// A part of a prompt: a found token, or text for the pre-tokenizer.
struct PromptPart {
  std::optional<int32_t> token;
  std::string text;
  bool at_start = false;
};

/// Finds texts of a set at a place, longest first. Immutable after the last add().
class TokenTrie {
 public:
  /// False when the set holds this text already.
  bool add(std::string_view text, int32_t index);
  /// Index and end of the longest text that begins at `at` and ends before `end`.
  std::optional<std::pair<int32_t, size_t>> longest(std::string_view text, size_t at, size_t end) const;
  bool empty() const { return edges_.empty(); }

 private:
  std::unordered_map<uint64_t, uint32_t> edges_;  // node << 8 | byte -> node; node 0 is the root
  std::unordered_map<uint32_t, int32_t> ends_;    // node -> index
  uint32_t nodes_ = 1;
};

/// Immutable, thread-safe.
class AddedTokens {
 public:
  AddedTokens() = default;
  /// Error{model_invalid} for wrong types, ids out of range, an id or a text given twice, and an id that is
  /// not the one that the vocabulary gives the text.
  AddedTokens(const JsonField& field, const Vocabulary& vocabulary, const Normalizer& normalizer);

  /// The parts of a prompt, in order, text parts normalized. User bytes hold no added token unless
  /// parse_special.
  std::vector<PromptPart> cut(const MarkedText& prompt, const Normalizer& normalizer,
                              bool parse_special) const;

  const std::vector<AddedToken>& all() const { return tokens_; }

 private:
  struct Found;
  std::vector<Found> find(const MarkedText& text, const TokenTrie& trie, bool parse_special) const;

  std::vector<AddedToken> tokens_;
  TokenTrie raw_;
  TokenTrie normalized_;
};

}  // namespace galago
