// How the camera was held. In: EXIF and XMP metadata of any format. Out: the orientation 1 to 8, and an image
// turned upright. Reference: Pillow 13.0 Image.getexif and ImageOps.exif_transpose.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>

#include "image/image.h"

namespace galago {

/// The orientation that the metadata states: EXIF's (with or without its "Exif\0\0" prefix), else XMP's, else
/// 1; an orientation of EXIF that makes no sense is 1 whatever XMP says. Broken metadata states nothing: a
/// picture is never refused for it.
int read_orientation(std::span<const uint8_t> exif, std::string_view xmp);
/// The size after turning.
ImageSize upright_size(ImageSize stored, int orientation);
/// Rows that are turned at once: they should stay in the processor's cache.
inline constexpr int64_t kRowsAtOnce = 64;
/// Puts rows [y, y + count) of an image of this stored size to their places in the upright image.
void place_rows(const uint8_t* rows, int64_t y, int64_t count, ImageSize stored, int orientation,
                RgbImage& out);
/// The image turned as orientation 1 to 8 says.
RgbImage turn_upright(RgbImage image, int orientation);

}  // namespace galago
