// The header of one safetensors file, checked. In: the bytes of the file. Out: for each tensor its type,
// shape and place. Internal to src/formats.
#pragma once

#include <cstddef>
#include <map>
#include <span>
#include <string>

#include "core/tensor.h"

namespace galago {

/// What one file holds; the views point into the bytes given.
struct TensorFile {
  std::map<std::string, TensorView> tensors;
  std::map<std::string, std::string> metadata;
};

/// Reads and checks a file's header; `where` is the file's name for errors. After this, every view lies
/// within `bytes`. Errors as in Checkpoint::open_file.
TensorFile read_tensor_file(std::span<const std::byte> bytes, const std::string& where);

}  // namespace galago
