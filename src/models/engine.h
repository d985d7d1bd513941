// The half of a model that holds weights: pixels to image rows, and the decoder.
// In: pixel batches and rows. Out: features of each station, so that a trace can look at all of them.
#pragma once

#include <cstdint>
#include <vector>

#include "core/workspace.h"
#include "decoder/llama.h"
#include "vision/adapter.h"

namespace galago {

/// What the vision side makes of one image's tiles, station by station.
struct ImageFeatures {
  Tensor vision_last_hidden_state;  ///< [N, P, C]
  Tensor connector_output;          ///< [N, T, D']
  Tensor image_rows;                ///< [R, D], in the order of the placeholders
  double vision_ms = 0;
  double connector_ms = 0;
};

/// Const and thread-safe after construction.
class Engine {
 public:
  virtual ~Engine() = default;
  /// Tower, connector and hidden align on one image's tiles.
  virtual ImageFeatures encode(const PixelBatch& batch, Workspace& workspace,
                               const TileProgress& progress) const = 0;
  virtual const LlamaDecoder& decoder() const = 0;
  /// Which row of the position table each patch takes, [N, P]: for a trace.
  virtual std::vector<int32_t> position_ids(const PixelBatch& batch) const = 0;
  /// Pixels on one side of a patch.
  virtual int64_t patch_size() const = 0;
};

}  // namespace galago
