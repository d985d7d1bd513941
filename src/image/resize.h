// Resizing as Pillow does it, bit for bit: separable filters with 8-bit fixed-point coefficients, horizontal
// pass first. In: RGB8 of any size. Out: RGB8 of the asked size. Reference: Pillow 12.3 Image.resize
// (libImaging/Resample.c).
#pragma once

#include "image/image.h"
#include "io/config.h"

namespace galago {

/// The image at width x height (both at least 1). A size equal to the image's own returns it unchanged.
RgbImage resize(const RgbImage& image, int64_t width, int64_t height, Resample filter);

}  // namespace galago
