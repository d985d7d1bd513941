// One allocation a sequence; within a layer the keys of its positions lie one after another, then the values.
#include "nn/decoder/kv_cache.h"

#include <algorithm>
#include <utility>

namespace galago {

namespace {

// Floats for all positions: two halves take the place of one float, a key's and its value's.
Shape memory_for(const KvShape& shape, int64_t capacity) {
  return {shape.layers, shape.dtype == DType::f16 ? 1 : 2, capacity, shape.width};
}

}  // namespace

KvSequence::KvSequence(const KvShape& shape, int64_t capacity)
    : shape_(shape), capacity_(capacity), memory_(memory_for(shape, capacity)) {}

const std::byte* KvSequence::at(int64_t layer, int64_t part, int64_t position) const {
  const int64_t row = (layer * 2 + part) * capacity_ + position;
  return reinterpret_cast<const std::byte*>(memory_.data()) + row * shape_.width * size_of(shape_.dtype);
}

std::byte* KvSequence::at(int64_t layer, int64_t part, int64_t position) {
  return const_cast<std::byte*>(std::as_const(*this).at(layer, part, position));
}

KvPlace KvSequence::place(int64_t layer, int64_t position) {
  return {.key = at(layer, 0, position), .value = at(layer, 1, position)};
}

kernels::CacheView KvSequence::view(int64_t layer) const {
  return {.keys = at(layer, 0, 0), .values = at(layer, 1, 0), .stride = shape_.width, .dtype = shape_.dtype};
}

KvSequence KvSequence::copy(int64_t rows, int64_t capacity) const {
  KvSequence out(shape_, capacity);
  out.length_ = rows;
  for (int64_t layer = 0; layer < shape_.layers; ++layer)
    for (int64_t part = 0; part < 2; ++part)
      std::copy_n(at(layer, part, 0), rows * shape_.width * size_of(shape_.dtype), out.at(layer, part, 0));
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
