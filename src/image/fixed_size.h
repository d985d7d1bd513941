// A picture of any shape squeezed into one size, its shape not kept. In: RGB8 and the image processor's
// settings. Out: one tile as bytes, ready for normalise. Reference: transformers 5.18
// SiglipImageProcessorPil.
#pragma once

#include <span>

#include "formats/config/siglip_config.h"
#include "image/image.h"
#include "image/preprocess.h"

namespace galago {

/// One tile for each picture, in their order. Error{input_invalid} for a picture of another size where the
/// settings say that none is resized; Error{input_too_large} over limits::kTilePixels.
Tiles make_fixed_size_tiles(std::span<const RgbImage> images, const FixedSizeConfig& config,
                            const kernels::Device& device);

}  // namespace galago
