// See the header. In memory a picture's key is enough: the model is always the same one.
#include "runtime/feature_cache.h"

#include <iterator>
#include <string>
#include <utility>

#include "galago/error.h"

namespace galago {
namespace {

constexpr const char* kStored = "galago image rows 1";  // another layout gets another number

int64_t bytes_of(const Tensor& tensor) { return tensor.size() * static_cast<int64_t>(sizeof(float)); }

int64_t check_limit(const char* where, int64_t bytes) {
  if (bytes >= 0) return bytes;
  throw Error(ErrorCode::usage,
              {.where = where, .got = std::to_string(bytes), .expected = "0 or more bytes"});
}

}  // namespace

SharedRows FeatureMemory::find(const Digest& key) {
  const std::lock_guard lock(mutex_);
  const auto found = places_.find(key);
  if (found == places_.end()) return nullptr;
  entries_.splice(entries_.begin(), entries_, found->second);
  return found->second->rows;
}

void FeatureMemory::put(const Digest& key, SharedRows rows) {
  const int64_t bytes = bytes_of(*rows);
  if (bytes > limit_bytes_) return;
  const std::lock_guard lock(mutex_);
  if (const auto found = places_.find(key); found != places_.end()) {
    const Tensor& kept = *found->second->rows;
    if (kept.shape() == rows->shape()) return;  // another thread was faster, with the same rows
    bytes_ -= bytes_of(kept);
    entries_.erase(found->second);
    places_.erase(found);
  }
  entries_.push_front({key, std::move(rows)});
  places_[key] = entries_.begin();
  for (bytes_ += bytes; bytes_ > limit_bytes_; entries_.pop_back()) {
    bytes_ -= bytes_of(*entries_.back().rows);
    places_.erase(entries_.back().key);
  }
}

int64_t FeatureMemory::bytes() const {
  const std::lock_guard lock(mutex_);
  return bytes_;
}

FeatureCache::FeatureCache(const ImageCacheOptions& options, std::function<Digest()> model_key)
    : memory_(check_limit("image_cache.memory_bytes", options.memory_bytes)),
      make_model_key_(std::move(model_key)) {
  check_limit("image_cache.directory_bytes", options.directory_bytes);
  if (!options.directory.empty()) store_.emplace(options.directory, options.directory_bytes, kStored);
}

Digest FeatureCache::file_key(const Digest& picture) {
  std::call_once(model_key_made_, [this] { model_key_ = make_model_key_(); });
  Sha256 hash;
  hash.add(std::as_bytes(std::span(model_key_)));
  hash.add(std::as_bytes(std::span(picture)));
  return hash.finish();
}

SharedRows FeatureCache::find(const Digest& picture, const Shape& shape, CacheCounts& counts) {
  if (SharedRows rows = memory_.find(picture); rows && rows->shape() == shape) {
    ++counts.memory_hits;
    return rows;
  }
  if (store_)
    if (auto stored = store_->find(file_key(picture), shape)) {
      auto rows = std::make_shared<const Tensor>(std::move(*stored));
      memory_.put(picture, rows);
      ++counts.directory_hits;
      return rows;
    }
  ++counts.misses;
  return nullptr;
}

SharedRows FeatureCache::find_again(const Digest& picture, const Shape& shape, CacheCounts& counts) {
  SharedRows rows = memory_.find(picture);
  if (!rows || rows->shape() != shape) return nullptr;
  --counts.misses;
  ++counts.memory_hits;
  return rows;
}

void FeatureCache::put(const Digest& picture, const SharedRows& rows, CacheCounts& counts) {
  memory_.put(picture, rows);
  if (store_ && !store_->put(file_key(picture), *rows)) ++counts.unsaved;
}

}  // namespace galago
