// Resizing as Pillow does it, bit for bit: separable filters with fixed-point coefficients, horizontal pass
// first; and as torch does it, which rounds the coefficients to fewer bits. In: RGB8 of any size. Out: RGB8
// of the asked size. Reference: Pillow 12.3 Image.resize (libImaging/Resample.c).
#pragma once

#include "image/image.h"
#include "io/config.h"

namespace galago {

/// The image at width x height (both at least 1). A size equal to the image's own returns it unchanged.
RgbImage resize(const RgbImage& image, int64_t width, int64_t height, Resample filter);

/// The same filters with the rounding of torch's antialiased interpolate on bytes, bit for bit: the weights
/// of an axis have 16 bits, and as many of them after the point as its largest weight leaves. Pillow has 22.
/// The results differ by at most a few units in about one byte of a hundred. Not for Resample::nearest
/// (Error{internal}). Reference: torch 2.13 interpolate(antialias=True), torchvision 0.28 resize.
RgbImage resize_as_torch(const RgbImage& image, int64_t width, int64_t height, Resample filter);

}  // namespace galago
