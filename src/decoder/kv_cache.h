// Keys and values of the positions already seen, for every layer of one or several sequences.
// In: rows of keys and values at given positions. Out: views [length, kv_heads * head_dim] for attention.
#pragma once

#include <cstdint>
#include <vector>

#include "core/tensor.h"
#include "kernels/kernels.h"

namespace galago {

/// A cache for `sequences` sequences of up to `capacity` positions each, allocated at once.
class KvCache {
 public:
  KvCache(int64_t layers, int64_t width, int64_t sequences, int64_t capacity);

  int64_t sequences() const { return static_cast<int64_t>(lengths_.size()); }
  int64_t capacity() const { return capacity_; }
  int64_t length(int64_t sequence) const { return lengths_[static_cast<size_t>(sequence)]; }
  /// Bytes held.
  int64_t bytes() const {
    return static_cast<int64_t>(sizeof(float)) * 2 * static_cast<int64_t>(layers_) * stride_layer_;
  }
  void set_length(int64_t sequence, int64_t length) { lengths_[static_cast<size_t>(sequence)] = length; }

  /// Where the key (value) of a position is written: width floats.
  float* key(int64_t layer, int64_t sequence, int64_t position);
  float* value(int64_t layer, int64_t sequence, int64_t position);
  kernels::CacheView view(int64_t layer, int64_t sequence) const;

 private:
  int64_t offset(int64_t layer, int64_t sequence, int64_t position) const;

  int64_t layers_;
  int64_t width_;
  int64_t capacity_;
  Tensor keys_;           // [layers, sequences, capacity, width]
  Tensor values_;         // same
  int64_t stride_layer_;  // floats of one layer
  std::vector<int64_t> lengths_;
};

}  // namespace galago
