// safetensors: an 8-byte little-endian header length, a JSON header {name: {dtype, shape, data_offsets}}, raw
// data. In: one file, or a directory with model.safetensors or model.safetensors.index.json. Out: views into
// the memory map. Everything is checked before use: header length, JSON depth, shapes, overflow, offsets,
// overlaps, gaps, shard paths. Reference: https://github.com/huggingface/safetensors (format section of its
// README).
#pragma once

#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "core/tensor.h"
#include "io/files.h"

namespace galago {

/// The tensors of one or several safetensors files, memory-mapped. Views live as long as this object (cheap
/// to copy).
class Checkpoint {
 public:
  Checkpoint() = default;
  /// One .safetensors file. Error{model_invalid} for anything malformed, Error{not_found}.
  static Checkpoint open_file(const std::filesystem::path& file);
  /// A model directory: model.safetensors, or the shards of model.safetensors.index.json.
  static Checkpoint open_directory(const std::filesystem::path& directory);

  /// The tensor of that name, or null.
  const TensorView* find(const std::string& name) const;
  const std::map<std::string, TensorView>& tensors() const { return tensors_; }
  /// The header's "__metadata__" strings of the first file.
  const std::map<std::string, std::string>& metadata() const { return metadata_; }
  /// The files read, in order.
  std::vector<std::filesystem::path> files() const;
  /// Bytes of tensor data.
  int64_t bytes() const;

 private:
  void add_file(const std::filesystem::path& file);

  std::vector<MappedFile> maps_;
  std::map<std::string, TensorView> tensors_;
  std::map<std::string, std::string> metadata_;
};

/// One tensor to write.
struct NamedTensor {
  std::string name;
  TensorView view;
};

/// Writes a safetensors file atomically (names sorted as given). Error{output_io}.
void write_safetensors(const std::filesystem::path& file, const std::vector<NamedTensor>& tensors,
                       const std::map<std::string, std::string>& metadata = {});

}  // namespace galago
