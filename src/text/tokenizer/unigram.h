// Unigram: of all ways to cut a text into pieces of the vocabulary, the one whose scores have the best sum.
// In: pieces with their log probabilities; a text. Out: token ids. Time is the text's length times the
// longest piece's. Reference: Kudo 2018 (arXiv 1804.10959); `tokenizers` models/unigram; sentencepiece
// unigram_model.cc.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "formats/json.h"
#include "text/tokenizer/piece_trie.h"
#include "text/tokenizer/vocabulary.h"

namespace galago {

/// Immutable, thread-safe.
class Unigram {
 public:
  /// The "model" field of a tokenizer.json: "vocab" is a list of [piece, score]; the index of a piece is its
  /// id. Error{model_invalid} for wrong types, scores that are not finite, pieces over 512 bytes, an unk_id
  /// outside the list.
  static Unigram from_json(const JsonField& field);

  /// Appends the ids of one text. A character that no piece covers costs ten more than the least score and
  /// becomes its bytes, where the model has them, or the unknown token, one for each run.
  /// Error{model_invalid} when it needs an unknown token and the model has none.
  void encode(std::string_view text, std::vector<int32_t>& out) const;

  std::optional<int32_t> id_of(std::string_view token) const { return id_in(ids_, token); }
  const Vocabulary& vocabulary() const { return ids_; }

 private:
  struct Step;
  void read_pieces(const JsonField& field, const std::vector<bool>& hidden);
  std::vector<Step> best_path(std::string_view text) const;
  bool add_bytes(std::string_view text, std::vector<int32_t>& out) const;

  std::string where_;
  Vocabulary ids_;
  std::vector<double> scores_;
  PieceTrie trie_;
  std::array<std::optional<int32_t>, 256> bytes_{};
  std::optional<int32_t> unknown_;
  double unknown_score_ = 0;
  bool byte_fallback_ = false;
  bool single_ = false;  ///< sums in single precision, as the sentencepiece library
};

}  // namespace galago
