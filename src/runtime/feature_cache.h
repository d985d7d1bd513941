// Image rows that need not be computed again. In: keys of pictures. Out: their rows, from memory or from a
// folder. Both have a limit in bytes, and what was used longest ago leaves first.
#pragma once

#include <cstdint>
#include <functional>
#include <list>
#include <map>
#include <memory>
#include <mutex>
#include <optional>

#include "core/sha256.h"
#include "core/tensor.h"
#include "formats/safetensors/tensor_store.h"
#include "galago/options.h"

namespace galago {

/// Rows that several owners share and nobody changes.
using SharedRows = std::shared_ptr<const Tensor>;

/// Tensors in memory, up to a limit. Safe to use from several threads.
class FeatureMemory {
 public:
  /// limit_bytes: of the floats; 0 keeps nothing.
  explicit FeatureMemory(int64_t limit_bytes) : limit_bytes_(limit_bytes) {}

  /// Null when it is not there.
  SharedRows find(const Digest& key);
  /// One that is over the limit by itself is not kept.
  void put(const Digest& key, SharedRows rows);
  int64_t bytes() const;

 private:
  struct Entry {
    Digest key;
    SharedRows rows;
  };
  const int64_t limit_bytes_;
  mutable std::mutex mutex_;
  std::list<Entry> entries_;  // the last used first
  std::map<Digest, std::list<Entry>::iterator> places_;
  int64_t bytes_ = 0;
};

/// The pictures of one loaded model. Safe to use from several threads; two that ask for one picture at once
/// may both be told to encode it, and give the same rows.
class FeatureCache {
 public:
  /// model_key is asked for once, when the folder is first used. Error{usage} for a limit below 0,
  /// Error{output_io} for a folder that cannot be written to.
  FeatureCache(const ImageCacheOptions& options, std::function<Digest()> model_key);

  /// The picture's rows, of that shape; null when they must be made. Counts a hit or a miss.
  SharedRows find(const Digest& picture, const Shape& shape, CacheCounts& counts);
  /// The rows of a picture that find() did not have, if another request has encoded it since then; the miss
  /// becomes a hit.
  SharedRows find_again(const Digest& picture, const Shape& shape, CacheCounts& counts);
  /// Keeps them for the next find(). A folder that takes no more is counted, and no Error.
  void put(const Digest& picture, const SharedRows& rows, CacheCounts& counts);

 private:
  Digest file_key(const Digest& picture);

  FeatureMemory memory_;
  std::optional<TensorStore> store_;
  std::function<Digest()> make_model_key_;
  std::once_flag model_key_made_;
  Digest model_key_{};
};

}  // namespace galago
