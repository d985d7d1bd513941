// SigLIP's way with a text: made plain, then normalized by SentencePiece's own rules.
// In: a part of a prompt. Out: one word for the Unigram model, spaces written as "▁". Plain: lower case, no
// ASCII punctuation, one space for any run of spaces. The word begins with the unknown token's text, whose
// ids are dropped afterwards: so the reference keeps the space of a first word. Reference: transformers 5.18
// tokenization_siglip.py; sentencepiece normalizer.cc.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "formats/json.h"
#include "text/tokenizer/charsmap.h"

namespace galago {

/// Immutable, thread-safe.
class PlainText {
 public:
  /// A description made by read_tokenizer_document. Error{model_invalid}.
  static PlainText from_json(const JsonField& field);

  /// The word to encode, the unknown token's text in front.
  std::string operator()(std::string_view text, bool at_start) const;
  /// SentencePiece's normalizer: the character map, single spaces, "▁" in front and for spaces.
  std::string normalized(std::string_view text) const;
  const std::string& unknown() const { return unknown_; }
  /// Ids that the unknown token's text takes.
  size_t skip() const { return skip_; }

 private:
  std::string unknown_;
  size_t skip_ = 0;
  std::optional<Charsmap> charsmap_;
  bool lower_case_ = true;
  bool add_dummy_prefix_ = true;
  bool remove_extra_whitespaces_ = true;
  bool escape_whitespaces_ = true;
};

}  // namespace galago
