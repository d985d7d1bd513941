// What generation needs of a decoder: sequences that come and go, rows of embeddings in, logits out, a cache
// that remembers. The decoder station's backbone is wired to this in src/runtime; tests use small fakes.
#pragma once

#include <cstdint>
#include <span>

#include "core/sha256.h"
#include "core/tensor.h"

namespace galago {

/// From this row on, placeholder ids stand for the rows of a picture or frame with this key, until the next
/// mark. Equal keys mean equal rows.
struct ContentMark {
  int64_t begin = 0;
  Digest key{};

  bool operator==(const ContentMark&) const = default;
};

/// What decides every row of a prompt: its ids, and what the placeholders among them stand for.
struct PromptContent {
  std::span<const int32_t> ids;        ///< [L]
  std::span<const ContentMark> marks;  ///< in the order of `begin`
};

/// A sequence that a model has taken in.
struct OpenSequence {
  int32_t number = 0;
  int64_t cached = 0;  ///< rows of the prompt that it already has; the rest is to be given
};

/// A chosen token of a sequence.
struct NextToken {
  int32_t sequence = 0;
  int32_t id = 0;
};

/// A causal language model with the key-value caches of several sequences. Not thread-safe.
class CausalModel {
 public:
  virtual ~CausalModel() = default;
  virtual int64_t vocab_size() const = 0;
  virtual int64_t hidden_size() const = 0;
  /// Positions that the model was made for (max_position_embeddings).
  virtual int64_t context_length() const = 0;
  /// Bytes that a sequence of so many positions takes.
  virtual int64_t sequence_bytes(int64_t positions) const = 0;

  /// A new sequence with room for `positions` positions; fewer than all rows of its prompt may be there
  /// already.
  virtual OpenSequence open(const PromptContent& prompt, int64_t positions) = 0;
  /// Forgets a sequence. Does not throw.
  virtual void close(int32_t sequence) = 0;
  /// Appends rows [n, hidden_size] of its prompt to a sequence; returns the logits [vocab_size] of the last
  /// row, valid until the next call.
  virtual std::span<const float> prefill(int32_t sequence, ConstMatrix rows) = 0;
  /// Appends one token to each of several sequences; ids in [0, vocab_size), else Error{input_invalid}.
  /// Returns their logits [n, vocab_size], valid until the next call. A sequence's logits do not depend on
  /// the others, bit for bit.
  virtual ConstMatrix decode(std::span<const NextToken> tokens) = 0;
};

}  // namespace galago
