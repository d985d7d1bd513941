// A folder of tensors found by a key, shared by processes. In: a folder, a limit in bytes, keys, rows of
// floats. Out: the rows of a key, checked, or nothing. One safetensors file for each key, written under
// another name first; a file that is damaged, cut, foreign or in the way is as good as absent.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>

#include "core/sha256.h"
#include "core/tensor.h"

namespace galago {

/// Const, safe to use from several threads and several processes at once: the files are the only state.
class TensorStore {
 public:
  /// Makes the folder if need be, for its owner alone. kind: what the tensors are, written into each file;
  /// files of another kind are not read. Error{output_io} when the folder cannot be made or written to.
  TensorStore(std::filesystem::path directory, int64_t limit_bytes, std::string kind);

  /// The tensor of that key and shape; nothing for anything but a whole file of this kind with this key,
  /// whose SHA-256 is right. Counts as a use of the file.
  std::optional<Tensor> find(const Digest& key, const Shape& shape) const;
  /// Writes the file of that key, then removes those whose last use is longest ago until all together take
  /// at most the limit. False when it could not be written or is over the limit by itself; never an Error.
  bool put(const Digest& key, const Tensor& tensor) const;

 private:
  std::filesystem::path file(const Digest& key) const;
  void evict() const;

  std::filesystem::path directory_;
  int64_t limit_bytes_;
  std::string kind_;
};

}  // namespace galago
