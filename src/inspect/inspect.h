// What a checkpoint is made of, without touching its weights.
// In: a frontend and the checkpoint's header. Out: one row for each module with shapes, parameters and
// bytes.
#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "formats/safetensors/safetensors.h"
#include "models/frontend.h"

namespace galago {

/// One line of `galago inspect`.
struct ModuleSize {
  ModuleShape shape;
  int64_t tensors = 0;
  int64_t parameters = 0;
  int64_t bytes = 0;  ///< in the file
};

/// In which types a checkpoint's matrices (tensors of two and more dimensions) are stored.
struct StoredTypes {
  std::string name;  ///< q4 or q8 where a matrix is; else the type of most: float32, float16 or bfloat16
  std::vector<std::pair<std::string, int64_t>> matrices;  ///< type and number, most first
};
StoredTypes stored_types(const Checkpoint& checkpoint);

/// The modules with the tensors under their prefixes; tensors of no module make a last row "other", if any.
std::vector<ModuleSize> inspect(const Frontend& frontend, const Checkpoint& checkpoint);

}  // namespace galago
