// Writes rows into a cache of keys and values, as a decoder does, and finds them there.
#pragma once

#include <cstdint>
#include <span>

#include "nn/decoder/kv_cache.h"
#include "support/devices.h"

namespace galago::test {

/// Key and value [width] of one position.
inline void store(KvSequence& sequence, int64_t layer, int64_t position, std::span<const float> key,
                  std::span<const float> value) {
  const KvPlace place = sequence.place(layer, position);
  const DType dtype = sequence.view(layer).dtype;
  device().scatter_rows({key.data(), 1, std::ssize(key)}, {{place.key}}, dtype);
  device().scatter_rows({value.data(), 1, std::ssize(value)}, {{place.value}}, dtype);
}

/// A row of keys and one of values.
struct KvRow {
  const std::byte* key;
  const std::byte* value;
};

/// Where attention reads those of a position.
inline KvRow row_of(const KvSequence& sequence, int64_t layer, int64_t position) {
  const kernels::CacheView view = sequence.view(layer);
  const std::byte* const row = view.pages[position / view.page_positions] +
                               position % view.page_positions * view.stride * size_of(view.dtype);
  return {row + view.keys, row + view.values};
}

}  // namespace galago::test
