// The pre-tokenizers of a tokenizer file: normalized text cut into the words that are merged one by one.
// In: the "pre_tokenizer" field, text. Out: pieces in order; nothing is merged across them.
// Reference: `tokenizers` pre-tokenizers (ByteLevel, Digits, Split, Punctuation, CharDelimiterSplit,
// Whitespace, WhitespaceSplit, BertPreTokenizer, FixedLength, Metaspace, Sequence), and PlainText
// (plain_text.h).
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "formats/json.h"

namespace galago {

/// A piece of text on its way to the model.
struct Piece {
  std::string text;
  bool at_start = false;  ///< it begins where the whole prompt begins (Metaspace asks)
  size_t skip = 0;        ///< as many ids of its beginning are not the prompt's (PlainText puts text there)
};

/// Takes pieces one by one, so that a long text never lies in memory as a list of them.
using PieceSink = std::function<void(Piece)>;

/// Immutable, thread-safe.
class PreTokenizer {
 public:
  /// No pre-tokenizer: the text is one piece.
  PreTokenizer() = default;
  /// Error{model_invalid} on a malformed field, Error{model_unsupported} for another type.
  static PreTokenizer from_json(const JsonField& field);

  using Step = std::function<void(Piece, const PieceSink&)>;

  /// The work on one prompt, text by text. Refers to the pre-tokenizer.
  class Run {
   public:
    /// `most`: bytes that a step may make of all texts together.
    Run(const PreTokenizer& owner, size_t most);
    /// Gives the pieces of a text to `out`, in order; none of them is empty. Error{input_too_large} when a
    /// step makes more than `most` bytes or the steps together hold four times as many.
    void operator()(Piece text, const PieceSink& out);

   private:
    void from(size_t step, Piece piece, const PieceSink& out);

    static constexpr size_t kKept = 4;

    const std::vector<Step>& steps_;
    size_t most_;
    std::vector<size_t> made_;  // bytes that each step gave out so far
    size_t kept_ = 0;           // bytes of the pieces that are being worked on, one of each step
  };

 private:
  void add(const JsonField& field);

  std::vector<Step> steps_;
};

}  // namespace galago
