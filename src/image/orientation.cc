// EXIF first, then XMP by its one attribute. In: metadata bytes. Out: orientation 1 to 8, and images turned.
// Reference: Pillow 13.0 Image.getexif.
#include "image/orientation.h"

#include <algorithm>
#include <cstring>

#include "image/exif.h"

namespace galago {
namespace {

// The digit of tiff:Orientation="6" or <tiff:Orientation>6<, 0 when absent.
int xmp_orientation(std::string_view xmp) {
  constexpr std::string_view name = "tiff:Orientation";
  for (size_t at = xmp.find(name); at != std::string_view::npos; at = xmp.find(name, at + 1)) {
    std::string_view rest = xmp.substr(at + name.size());
    const size_t skip = rest.starts_with("=\"") ? 2 : rest.starts_with(">") ? 1 : 0;
    if (skip == 0 || rest.size() <= skip) continue;
    const char digit = rest[skip];
    if (digit >= '0' && digit <= '9') return digit - '0';
  }
  return 0;
}

bool swaps_sides(int orientation) { return orientation >= 5; }

}  // namespace

int read_orientation(std::span<const uint8_t> exif, std::string_view xmp) {
  const std::optional<int> stated = exif_orientation(exif);
  const int value = stated ? *stated : xmp_orientation(xmp);
  return value >= 1 && value <= 8 ? value : 1;
}

ImageSize upright_size(ImageSize stored, int orientation) {
  return swaps_sides(orientation) ? ImageSize{stored.height, stored.width} : stored;
}

void place_rows(const uint8_t* rows, int64_t y, int64_t count, ImageSize stored, int orientation,
                RgbImage& out) {
  const bool mirror_x = orientation == 2 || orientation == 3 || orientation == 7 || orientation == 8;
  const bool mirror_y = orientation == 3 || orientation == 4 || orientation == 6 || orientation == 7;
  const int64_t stride = stored.width * 3;
  // The rows from the one that comes first in the upright image on.
  const int64_t first = mirror_y ? stored.height - y - count : y;
  const uint8_t* from = mirror_y ? rows + (count - 1) * stride : rows;
  const int64_t step = mirror_y ? -stride : stride;
  if (swaps_sides(orientation)) {
    for (int64_t x = 0; x < stored.width; ++x) {
      const uint8_t* in = from + (mirror_x ? stored.width - 1 - x : x) * 3;
      uint8_t* to = out.row(x) + first * 3;
      for (int64_t i = 0; i < count; ++i) std::memcpy(to + i * 3, in + i * step, 3);
    }
    return;
  }
  for (int64_t i = 0; i < count; ++i) {
    const uint8_t* in = from + i * step;
    uint8_t* to = out.row(first + i);
    if (!mirror_x)
      std::memcpy(to, in, static_cast<size_t>(stride));
    else
      for (int64_t x = 0; x < stored.width; ++x) std::memcpy(to + x * 3, in + (stored.width - 1 - x) * 3, 3);
  }
}

RgbImage turn_upright(RgbImage image, int orientation) {
  if (orientation == 1) return image;
  const ImageSize stored{image.width, image.height};
  const ImageSize size = upright_size(stored, orientation);
  RgbImage out{.width = size.width, .height = size.height, .pixels = {}};
  out.pixels.resize(image.pixels.size());
  for (int64_t y = 0; y < stored.height; y += kRowsAtOnce)
    place_rows(image.row(y), y, std::min(kRowsAtOnce, stored.height - y), stored, orientation, out);
  return out;
}

}  // namespace galago
