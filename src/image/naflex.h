// A picture of any shape cut into patches, its shape kept (NaFlex: native aspect ratio, flexible length). In:
// RGB8 and the image processor's settings. Out: rows of normalised pixels, one for each patch, and the grid
// of patches. Reference: transformers 5.18 Siglip2ImageProcessorPil.
#pragma once

#include <span>

#include "core/patch_batch.h"
#include "formats/config/siglip_config.h"
#include "image/image.h"
#include "kernels/kernels.h"

namespace galago {

/// The most patches of the picture's shape that the settings allow: the size it is resized to is this grid
/// times patch_size. Touches no pixels. Where nothing is resized, the grid that the picture has.
/// Error{input_invalid} for a side outside 1..limits::kImageSide, and for a picture that is not resized and
/// is no whole number of patches, or too many.
PatchGrid plan_patches(ImageSize size, const NaflexConfig& config);

/// Resizes and cuts as plan_patches says; L is the largest picture's number of patches, where the reference
/// pads to max_num_patches, and padding is 0. Error{input_too_large} over limits::kTilePixels in all.
PatchBatch make_patches(std::span<const RgbImage> images, const NaflexConfig& config,
                        const kernels::Device& device);

}  // namespace galago
