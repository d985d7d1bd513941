// How much memory a request will take, before any weight is touched.
// In: a model's settings, its checkpoint's header, the pictures' sizes, the prompt's length. Out: bytes, part
// by part, while pictures are encoded and while the decoder works; the larger sum is the peak. All numbers
// follow from shapes; what does not is stated in MemoryAssumptions. docs/memory.md explains every line.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "formats/safetensors/safetensors.h"
#include "models/frontend.h"
#include "models/weight_formats.h"

namespace galago {

/// What a request asks for, as far as memory is concerned.
struct MemoryRequest {
  std::vector<ImagePlan> images;
  int64_t prompt_tokens = 0;  ///< image tokens included
  std::vector<int32_t> ids;   ///< of the prompt; where empty, each token is taken to be another one
  int64_t max_new_tokens = 256;
  int64_t prefill_chunk = 0;       ///< GenerateOptions::prefill_chunk
  DType cache_dtype = DType::f32;  ///< f32 or f16
  WeightDtype weights = WeightDtype::as_stored;
  bool mmap = true;  ///< LoadOptions::mmap
  int threads = 1;
  bool low_memory = true;  ///< LoadOptions::low_memory; `galago run` sets it
};

/// What shapes do not tell.
struct MemoryAssumptions {
  /// Code and libraries that are touched, stacks, the standard library's own.
  int64_t program = 24'000'000;
  /// The same of what only pictures need: decoders, resampling, the tower, hashes.
  int64_t picture_program = 3'500'000;
  /// A token of the vocabulary: its text, its merge, their places in tables, and the file's tree while it is
  /// read.
  int64_t token = 360;
  /// A row of a table that is read alone brings the pages around it (Linux maps 16 at once).
  int64_t touched_row = 16 * 4096;
};

/// One line of the table.
struct MemoryPart {
  std::string name;
  int64_t image = 0;  ///< bytes while pictures are encoded
  int64_t text = 0;   ///< bytes while the prompt is read and the answer written
};

struct MemoryPlan {
  std::vector<MemoryPart> parts;

  int64_t image() const;
  int64_t text() const;
  /// The larger of both.
  int64_t peak() const;
};

/// outline: the checkpoint's tensors; their data is not looked at, but for a head that may be a copy of the
/// embedding table.
MemoryPlan plan_memory(const Frontend& frontend, const Checkpoint& outline, const MemoryRequest& request,
                       const MemoryAssumptions& assumptions = {});

/// Workspace::most_bytes() after `rows` rows of one sequence went through the decoder.
int64_t decoder_scratch(const TextConfig& config, int64_t rows);
/// The same after `tiles` tiles went through tower and connector together.
int64_t tower_scratch(const VisionConfig& config, const TileShape& tile, int64_t tiles);

}  // namespace galago
