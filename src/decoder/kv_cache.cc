// One allocation a sequence; within a layer the keys of its positions lie one after another, then the values.
#include "decoder/kv_cache.h"

#include <algorithm>
#include <utility>

namespace galago {

KvSequence::KvSequence(const KvShape& shape, int64_t capacity)
    : shape_(shape), capacity_(capacity), memory_({shape.layers, 2, capacity, shape.width}) {}

int64_t KvSequence::offset(int64_t layer, int64_t part, int64_t position) const {
  return ((layer * 2 + part) * capacity_ + position) * shape_.width;
}

void KvSequence::store(int64_t layer, int64_t position, const float* key, const float* value) {
  std::copy_n(key, shape_.width, memory_.data() + offset(layer, 0, position));
  std::copy_n(value, shape_.width, memory_.data() + offset(layer, 1, position));
}

kernels::CacheView KvSequence::view(int64_t layer) const {
  return {.keys = memory_.data() + offset(layer, 0, 0),
          .values = memory_.data() + offset(layer, 1, 0),
          .stride = shape_.width};
}

KvSequence KvSequence::copy(int64_t rows, int64_t capacity) const {
  KvSequence out(shape_, capacity);
  out.length_ = rows;
  for (int64_t layer = 0; layer < shape_.layers; ++layer)
    for (int64_t part = 0; part < 2; ++part)
      std::copy_n(memory_.data() + offset(layer, part, 0), rows * shape_.width,
                  out.memory_.data() + out.offset(layer, part, 0));
  return out;
}

int32_t KvCache::add(KvSequence sequence) {
  const auto free = std::find(slots_.begin(), slots_.end(), std::nullopt);
  const auto number = static_cast<int32_t>(free - slots_.begin());
  if (free == slots_.end())
    slots_.emplace_back(std::move(sequence));
  else
    free->emplace(std::move(sequence));
  return number;
}

KvSequence KvCache::remove(int64_t sequence) {
  return *std::exchange(slots_[static_cast<size_t>(sequence)], std::nullopt);
}

int64_t KvCache::bytes() const {
  int64_t sum = 0;
  for (const auto& slot : slots_)
    if (slot) sum += slot->bytes();
  return sum;
}

}  // namespace galago
