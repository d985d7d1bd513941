// The normalizers of a tokenizer file: text rewritten before it is cut into words.
// In: the "normalizer" field, text with the marks of its origin. Out: rewritten text, marks kept.
// Reference: `tokenizers` normalizers (NFC, NFD, NFKC, NFKD, Lowercase, Precompiled, Prepend, Replace, Strip,
// StripAccents, ByteLevel, BertNormalizer, Nmt, Sequence).
#pragma once

#include <functional>
#include <vector>

#include "formats/json.h"
#include "text/marked_text.h"

namespace galago {

/// Immutable, thread-safe.
class Normalizer {
 public:
  /// No normalizer: the text as it is.
  Normalizer() = default;
  /// Error{model_invalid} on a malformed field, Error{model_unsupported} for another type.
  static Normalizer from_json(const JsonField& field);

  /// Error{input_too_large} when the text has more than `most` bytes after a step; no step makes much more.
  MarkedText operator()(MarkedText text, size_t most) const;
  bool empty() const { return steps_.empty(); }

 private:
  using Step = std::function<MarkedText(MarkedText, size_t most)>;
  void add(const JsonField& field);

  std::vector<Step> steps_;
};

}  // namespace galago
