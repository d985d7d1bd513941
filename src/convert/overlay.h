// A page with what was read of it drawn over it. In: the page's picture and its elements. Out: an SVG
// picture.
#pragma once

#include <string>

#include "documents/document.h"
#include "galago/galago.h"

namespace galago::convert {

/// The picture with a frame around each element that has a box, in the colour of its confidence (red at 0.5
/// and below, green at 1, blue where it is not known), and its name and confidence above it. One file that
/// refers to nothing outside.
std::string overlay_svg(const Image& image, const documents::Page& page);

}  // namespace galago::convert
