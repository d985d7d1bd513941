// A picture as a PNG file. In: RGB8. Out: the file's bytes.
#pragma once

#include <string>

#include "image/image.h"

namespace galago {

/// Error{resource} when libpng finds no memory for it.
std::string encode_png(const RgbImage& image);

}  // namespace galago
