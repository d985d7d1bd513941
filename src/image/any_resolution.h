// A picture of any shape as tiles of one size: the size that wastes least is chosen among those allowed, the
// picture is fitted into it between black bars, and what results is cut. In: RGB8 and the image processor's
// settings. Out: 1 + rows x cols tiles, the whole picture first. Reference: transformers 5.18
// LlavaNextImageProcessorPil, select_best_resolution, get_patch_output_size.
#pragma once

#include <cstdint>
#include <span>

#include "formats/config/llava_config.h"
#include "image/image.h"
#include "image/preprocess.h"

namespace galago {

/// What happens to a picture of one size; all in pixels.
struct AnyResolutionPlan {
  ImageSize canvas;  ///< the chosen resolution
  ImageSize fitted;  ///< the picture inside it, its shape kept
  int64_t top = 0;   ///< black rows above the picture; below it there are as many, or one more
  int64_t left = 0;  ///< black columns to its left
  TileGrid grid;     ///< how the canvas is cut
};

/// The resolution that keeps most of the picture's pixels and, among equals, wastes least; the earlier one
/// where both are equal. `resolutions` holds at least one.
Resolution select_best_resolution(ImageSize size, std::span<const Resolution> resolutions);

/// Touches no pixels. Error{input_invalid} for a size below 1x1 or over limits::kImageSide,
/// Error{model_invalid} when the chosen resolution cannot be cut into whole tiles, Error{input_too_large}
/// over limits::kImageTiles or limits::kTilePixels.
AnyResolutionPlan plan_any_resolution(ImageSize size, const AnyResolutionConfig& config);

/// Height and width of every tile as it leaves the processor; Error{model_invalid} when they would differ
/// among tiles.
Resolution tile_size(const AnyResolutionConfig& config);

/// The tiles of plan_any_resolution, row by row behind the whole picture.
Tiles make_any_resolution_tiles(const RgbImage& image, const AnyResolutionConfig& config,
                                const kernels::Device& device);

}  // namespace galago
