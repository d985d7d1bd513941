// Every station's tensor of one run, to be compared with a run of transformers.
// In: a frontend, an engine, a question and pictures (or given pixels). Out: named tensors, written as
// safetensors. Names and shapes: pixel_values_u8 and pixel_values [N,3,H,W], pixel_attention_mask [N,H,W],
// vision_position_ids [N,P], vision_last_hidden_state [N,P,C], connector_output [N,T,D'], image_rows [R,D],
// input_ids [L], inputs_embeds [L,D], logits [L,V], generated_ids [n].
#pragma once

#include <cstddef>
#include <filesystem>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "core/tensor.h"
#include "image/image.h"
#include "models/engine.h"
#include "models/frontend.h"

namespace galago {

/// One tensor of a trace, owning its bytes.
struct TraceTensor {
  std::string name;
  DType dtype = DType::f32;
  Shape shape;
  std::vector<std::byte> bytes;

  TensorView view() const { return {.dtype = dtype, .shape = shape, .data = bytes.data()}; }
};

using Trace = std::vector<TraceTensor>;

/// The tensor of that name, or null.
const TraceTensor* find(const Trace& trace, const std::string& name);

/// Normalised tiles that come from elsewhere instead of the preprocessor, with the grids that the prompt
/// names.
struct GivenPixels {
  Tensor pixels;                        ///< [N, 3, H, W]
  std::vector<uint8_t> attention_mask;  ///< [N, H, W], 0 = padding; empty: none
};

/// What to trace.
struct TraceRequest {
  PromptText text;
  std::vector<RgbImage> images;
  std::vector<std::shared_ptr<const VideoSource>> videos;
  std::optional<bool> split;
  /// Replaces the pixels of images and videos, which still give the prompt.
  std::optional<GivenPixels> given;
  int64_t max_new_tokens = 64;  ///< greedy
  TileProgress progress;        ///< called between tiles; false throws Cancelled
};

/// Runs every station once. Memory: all of it is kept, logits [L, V] included.
Trace run_trace(const Frontend& frontend, const Engine& engine, const TraceRequest& request);

/// Writes galago's version and `metadata` into the file's __metadata__. Error{output_io} when the file cannot
/// be written.
void write_trace(const std::filesystem::path& file, const Trace& trace,
                 std::map<std::string, std::string> metadata = {});

}  // namespace galago
