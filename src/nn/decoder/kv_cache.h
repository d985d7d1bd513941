// Keys and values of the positions already seen, for every layer of one or several sequences.
// In: rows of keys and values at given positions. Out: views [length, kv_heads * head_dim] for attention.
// Each sequence owns its memory, so that sequences come and go while the others stay where they are.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "core/tensor.h"
#include "kernels/kernels.h"

namespace galago {

/// What one position holds: a key and a value of `width` numbers in each layer.
struct KvShape {
  int64_t layers = 0;
  int64_t width = 0;  ///< kv_heads * head_dim
  /// f32: as they are computed. f16: rounded to nearest, ties to even, saturated at +-65504; half the memory.
  DType dtype = DType::f32;

  /// Bytes of one position in all layers; no overflow for the sizes that limits.h lets through.
  int64_t position_bytes() const { return 2 * layers * width * size_of(dtype); }
};

/// Memory for a position's key and value in one layer, [width] of the cache's dtype each.
struct KvPlace {
  void* key = nullptr;
  void* value = nullptr;
};

/// Keys and values of one sequence, with room for `capacity` positions.
class KvSequence {
 public:
  KvSequence() = default;
  /// Takes all memory at once; Error{resource} when there is not enough.
  KvSequence(const KvShape& shape, int64_t capacity);

  int64_t capacity() const { return capacity_; }
  int64_t length() const { return length_; }
  void set_length(int64_t length) { length_ = length; }
  /// Positions of the prompt, also of what of it is still to come; 0: not known. It decides rows of decoders
  /// that say so (LlamaDecoder::rows_stand_alone).
  int64_t prompt() const { return prompt_; }
  void set_prompt(int64_t positions) { prompt_ = positions; }
  /// Bytes held.
  int64_t bytes() const { return capacity_ * shape_.position_bytes(); }

  /// Where the key and the value of a position below the capacity belong (kernels::scatter_rows).
  KvPlace place(int64_t layer, int64_t position);
  kernels::CacheView view(int64_t layer) const;

  /// The first `rows` positions in memory of its own, with room for `capacity` of them; rows <= length().
  KvSequence copy(int64_t rows, int64_t capacity) const;

 private:
  // Part 0 holds keys, part 1 values.
  const std::byte* at(int64_t layer, int64_t part, int64_t position) const;
  std::byte* at(int64_t layer, int64_t part, int64_t position);

  KvShape shape_;
  int64_t capacity_ = 0;
  int64_t length_ = 0;
  int64_t prompt_ = 0;
  Tensor memory_;  // [layers, 2 (keys, values), capacity, width] of shape_.dtype
};

/// The sequences that share calls of a decoder, each under a number that it keeps.
class KvCache {
 public:
  /// No sequences yet.
  explicit KvCache(const KvShape& shape) : shape_(shape) {}

  const KvShape& shape() const { return shape_; }
  /// Takes a sequence in; its number is the lowest free one.
  int32_t add(KvSequence sequence);
  int32_t add(int64_t capacity) { return add(KvSequence(shape_, capacity)); }
  /// Gives a sequence back; its number is free again.
  KvSequence remove(int64_t sequence);

  /// All numbers in use are below this.
  int64_t sequences() const { return static_cast<int64_t>(slots_.size()); }
  bool has(int64_t sequence) const {
    return sequence >= 0 && sequence < sequences() && slots_[static_cast<size_t>(sequence)].has_value();
  }
  /// The sequence of a number in use.
  KvSequence& at(int64_t sequence) { return *slots_[static_cast<size_t>(sequence)]; }
  const KvSequence& at(int64_t sequence) const { return *slots_[static_cast<size_t>(sequence)]; }
  int64_t length(int64_t sequence) const { return at(sequence).length(); }
  /// Bytes held by all sequences.
  int64_t bytes() const;

 private:
  KvShape shape_;
  std::vector<std::optional<KvSequence>> slots_;
};

}  // namespace galago
