// From a decoded image to the tower's input: two-stage resize, tiles with the global image last, rescale,
// normalise. In: RGB8 and preprocessor_config.json. Out: N tiles of S x S pixels, as bytes and as floats [N,
// 3, S, S]. Reference: transformers 5.18 Idefics3ImageProcessorPil (image_processing_pil_idefics3.py).
#pragma once

#include <cstdint>
#include <vector>

#include "core/tensor.h"
#include "core/tile_grid.h"
#include "image/image.h"
#include "io/config.h"

namespace galago {

/// The tiles of one image, channel-planar bytes before rescaling.
struct Tiles {
  TileGrid grid;
  int64_t count = 0;   ///< grid.tiles()
  int64_t height = 0;  ///< pixels of each tile
  int64_t width = 0;
  std::vector<uint8_t> pixels;  ///< [count, 3, height, width]
};

/// The grid that an image of this size gets; touches no pixels. Error{input_too_large} when tiles would
/// exceed limits.
TileGrid plan_tiles(ImageSize size, const PreprocessorConfig& config);

/// Resizes and cuts.
Tiles make_tiles(const RgbImage& image, const PreprocessorConfig& config);

/// Rescales and normalises to floats [count, 3, height, width], rounding as numpy does in the reference.
Tensor normalise(const Tiles& tiles, const PreprocessorConfig& config);

}  // namespace galago
