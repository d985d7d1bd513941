// The pre-tokenizers of a tokenizer file: normalized text cut into the words that are merged one by one.
// In: the "pre_tokenizer" field, text. Out: pieces in order; nothing is merged across them.
// Reference: `tokenizers` pre-tokenizers (ByteLevel, Digits, Split, Whitespace, WhitespaceSplit, Metaspace,
// Sequence), and PlainText (plain_text.h).
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "io/json.h"

namespace galago {

/// A piece of text on its way to the model.
struct Piece {
  std::string text;
  bool at_start = false;  ///< it begins where the whole prompt begins (Metaspace asks)
  size_t skip = 0;        ///< as many ids of its beginning are not the prompt's (PlainText puts text there)
};

using Pieces = std::vector<Piece>;

/// Immutable, thread-safe.
class PreTokenizer {
 public:
  /// No pre-tokenizer: the text is one piece.
  PreTokenizer() = default;
  /// Error{model_invalid} on a malformed field, Error{model_unsupported} for another type.
  static PreTokenizer from_json(const JsonField& field);

  /// Pieces of a text; none of them is empty.
  Pieces operator()(Piece text) const;

 private:
  using Step = std::function<void(const Piece&, Pieces&)>;
  void add(const JsonField& field, int depth);

  std::vector<Step> steps_;
};

}  // namespace galago
