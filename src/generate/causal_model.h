// What generation needs of a decoder: rows of embeddings in, logits of the last row out, a cache that
// remembers. The decoder station's backbone is wired to this in src/models; tests use small fakes.
#pragma once

#include <cstdint>
#include <span>

#include "core/tensor.h"

namespace galago {

/// One sequence of a causal language model with its key-value cache.
class CausalModel {
 public:
  virtual ~CausalModel() = default;
  virtual int64_t vocab_size() const = 0;
  virtual int64_t hidden_size() const = 0;
  /// Positions that the model was made for (max_position_embeddings).
  virtual int64_t context_length() const = 0;
  /// Rows of the embedding table; ids in [0, vocab_size), else Error{input_invalid}. out [ids, hidden_size].
  virtual void embed(std::span<const int32_t> ids, Matrix out) const = 0;
  /// Forgets the sequence and reserves room for `positions` positions.
  virtual void begin(int64_t positions) = 0;
  /// Appends rows [n, hidden_size] to the sequence; returns the logits [vocab_size] of the last row, valid
  /// until the next call.
  virtual std::span<const float> forward(ConstMatrix rows) = 0;
};

}  // namespace galago
