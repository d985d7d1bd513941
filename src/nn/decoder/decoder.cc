#include "nn/decoder/decoder.h"

#include <memory>

namespace galago {

KvCache Decoder::make_cache(int64_t sequences, int64_t positions, DType dtype) const {
  KvCache cache(std::make_shared<KvPages>(cache_shape(dtype), 0, device().memory()));
  for (int64_t s = 0; s < sequences; ++s) cache.add(positions);
  return cache;
}

}  // namespace galago
