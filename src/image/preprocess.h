// From a decoded image to the tower's input: two-stage resize, tiles with the global image last, rescale,
// normalise. In: RGB8 and preprocessor_config.json. Out: N tiles of S x S pixels, as bytes and as floats [N,
// 3, S, S]. Reference: transformers 5.18 Idefics3ImageProcessorPil and SmolVLMImageProcessorPil, which are
// the same algorithm.
#pragma once

#include <array>
#include <cstdint>
#include <vector>

#include "core/tensor.h"
#include "core/tile_grid.h"
#include "formats/config/config.h"
#include "image/image.h"
#include "kernels/kernels.h"

namespace galago {

/// The tiles of one image, channel-planar bytes before rescaling. Every tile is full: the processor ends in
/// whole squares, so its pixel_attention_mask is 1 everywhere.
struct Tiles {
  TileGrid grid;
  int64_t count = 0;   ///< grid.tiles()
  int64_t height = 0;  ///< pixels of each tile
  int64_t width = 0;
  std::vector<uint8_t> pixels;  ///< [count, 3, height, width]
};

/// The sizes that an image goes through; all in pixels.
struct TilePlan {
  ImageSize scaled;   ///< after the first stage: longest edge = size_longest_edge, even short edge
  ImageSize snapped;  ///< after the second stage: both edges multiples of the tile, or one tile
  TileGrid grid;      ///< how `snapped` is cut
  int64_t side = 0;   ///< the edge of a tile
};

/// The stages of an image of this size; touches no pixels. Error{input_too_large} when the tiles would exceed
/// limits::kImageTiles or limits::kTilePixels, Error{input_invalid} for a size below 1x1.
TilePlan plan_stages(ImageSize size, const PreprocessorConfig& config);
/// The grid of plan_stages.
TileGrid plan_tiles(ImageSize size, const PreprocessorConfig& config);

/// Resizes and cuts as plan_stages says.
Tiles make_tiles(const RgbImage& image, const PreprocessorConfig& config, const kernels::Device& device);

/// The float of every byte of the three colours, one table of 256 behind the other: rescaled and normalised,
/// rounding as numpy does in the reference.
std::array<float, 3 * 256> float_tables(const PixelScaling& scaling);

/// Rescales and normalises to floats [count, 3, height, width] by float_tables.
Tensor normalise(const Tiles& tiles, const PixelScaling& scaling, const kernels::Device& device);

}  // namespace galago
