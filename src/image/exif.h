// The orientation in an EXIF block. In: the block, a TIFF file without pixels, "Exif\0\0" before it or not.
// Out: the value of its first directory's entry 0x0112. Reference: Pillow 13.0 Image.Exif, TiffImagePlugin.
#pragma once

#include <cstdint>
#include <optional>
#include <span>

namespace galago {

/// 1 to 8; 0 for an entry that holds anything else; nothing when there is none or the block is broken before
/// it.
std::optional<int> exif_orientation(std::span<const uint8_t> exif);

}  // namespace galago
