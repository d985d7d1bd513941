// What a PNG says about how it was held. In: a PNG file. Out: the EXIF block and the XMP text that count
// among its eXIf, tEXt, zTXt and iTXt chunks, before and after the pixels. Reference: Pillow 13.0
// PngImagePlugin (which chunks are read, and that the last one of a keyword counts), Image.getexif (which
// keyword counts).
#pragma once

#include <cstdint>
#include <string>

#include "image/decoders.h"

namespace galago {

/// The text of one compressed chunk, as in Pillow, and of all compressed chunks of a file that are looked at.
inline constexpr int64_t kPngTextBytes = 1 << 20;
inline constexpr int64_t kPngTextsBytes = 64 * kPngTextBytes;

struct PngMetadata {
  std::string exif;  ///< a TIFF block, with "Exif\0\0" before it or not; empty when there is none
  std::string xmp;
};

/// Chunks that are broken, cut off or over the limits state nothing: a picture is never refused for them.
PngMetadata read_png_metadata(const EncodedImage& file);

}  // namespace galago
