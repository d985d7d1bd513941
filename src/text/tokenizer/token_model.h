// The model of a tokenizer file: words to ids, by whichever algorithm the file names.
// In: the "model" field, words from the pre-tokenizer. Out: token ids. The algorithm is chosen once, here.
// Reference: `tokenizers` models.
#pragma once

#include <optional>
#include <string_view>
#include <unordered_set>
#include <variant>
#include <vector>

#include "text/tokenizer/bpe.h"
#include "text/tokenizer/unigram.h"

namespace galago {

/// Immutable, thread-safe after reserve().
class TokenModel {
 public:
  /// "type" says BPE or Unigram; files older than that key hold BPE. Error{model_unsupported} for another.
  static TokenModel from_json(const JsonField& field);

  /// Appends the ids of one word.
  void encode(std::string_view word, std::vector<int32_t>& out) const;
  /// Tokens that no text may become whole: the special ones, which only the added tokens can give.
  void reserve(std::unordered_set<int32_t> ids);
  const Vocabulary& vocabulary() const;
  std::optional<int32_t> id_of(std::string_view token) const { return id_in(vocabulary(), token); }

 private:
  using Model = std::variant<Bpe, Unigram>;
  explicit TokenModel(Model model) : model_(std::move(model)) {}
  Model model_;
};

}  // namespace galago
