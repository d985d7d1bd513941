// One allocation for keys, one for values; positions of a sequence lie one after another within a layer.
#include "decoder/kv_cache.h"

namespace galago {

KvCache::KvCache(int64_t layers, int64_t width, int64_t sequences, int64_t capacity)
    : layers_(layers),
      width_(width),
      capacity_(capacity),
      keys_({layers, sequences, capacity, width}),
      values_({layers, sequences, capacity, width}),
      stride_layer_(layers > 0 ? keys_.size() / layers : 0),
      lengths_(static_cast<size_t>(sequences), 0) {}

int64_t KvCache::offset(int64_t layer, int64_t sequence, int64_t position) const {
  return layer * stride_layer_ + (sequence * capacity_ + position) * width_;
}

float* KvCache::key(int64_t layer, int64_t sequence, int64_t position) {
  return keys_.data() + offset(layer, sequence, position);
}

float* KvCache::value(int64_t layer, int64_t sequence, int64_t position) {
  return values_.data() + offset(layer, sequence, position);
}

kernels::CacheView KvCache::view(int64_t layer, int64_t sequence) const {
  const int64_t start = offset(layer, sequence, 0);
  return {.keys = keys_.data() + start, .values = values_.data() + start, .stride = width_};
}

}  // namespace galago
