// EXIF through libexif, XMP by its one attribute. In: metadata bytes. Out: orientation 1 to 8.
// Reference: Pillow 12.3 Image.getexif (EXIF first, then XMP), TiffImagePlugin (which types count).
#include "image/orientation.h"

#include <libexif/exif-data.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <memory>
#include <vector>

namespace galago {
namespace {

constexpr std::array<uint8_t, 6> kExifPrefix = {'E', 'x', 'i', 'f', 0, 0};

struct ReleaseExif {
  void operator()(ExifData* data) const { exif_data_unref(data); }
};

bool has_prefix(std::span<const uint8_t> exif) {
  return exif.size() >= kExifPrefix.size() &&
         std::equal(kExifPrefix.begin(), kExifPrefix.end(), exif.begin());
}

// The value of the orientation entry of the first directory, 0 when there is none or it is not an integer.
int64_t orientation_entry(const ExifData& data) {
  const ExifEntry* entry = exif_content_get_entry(data.ifd[EXIF_IFD_0], EXIF_TAG_ORIENTATION);
  if (entry == nullptr || entry->data == nullptr || entry->components < 1) return 0;
  const ExifByteOrder order = exif_data_get_byte_order(const_cast<ExifData*>(&data));
  const bool is_short = entry->format == EXIF_FORMAT_SHORT || entry->format == EXIF_FORMAT_SSHORT;
  const bool is_long = entry->format == EXIF_FORMAT_LONG || entry->format == EXIF_FORMAT_SLONG;
  if (is_short && entry->size >= 2) return exif_get_short(entry->data, order);
  if (is_long && entry->size >= 4) return exif_get_long(entry->data, order);
  return 0;
}

int64_t exif_orientation(std::span<const uint8_t> exif) {
  while (has_prefix(exif)) exif = exif.subspan(kExifPrefix.size());
  if (exif.empty()) return 0;
  std::vector<uint8_t> framed(kExifPrefix.begin(), kExifPrefix.end());  // libexif wants the prefix once
  framed.insert(framed.end(), exif.begin(), exif.end());
  const std::unique_ptr<ExifData, ReleaseExif> data(exif_data_new());
  if (data == nullptr) return 0;
  exif_data_unset_option(data.get(), EXIF_DATA_OPTION_FOLLOW_SPECIFICATION);  // it would repair entries
  exif_data_load_data(data.get(), framed.data(), static_cast<unsigned>(framed.size()));
  return orientation_entry(*data);
}

// The digit of tiff:Orientation="6" or <tiff:Orientation>6<, 0 when absent.
int64_t xmp_orientation(std::string_view xmp) {
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
  int64_t value = exif_orientation(exif);
  if (value == 0) value = xmp_orientation(xmp);
  return value >= 1 && value <= 8 ? static_cast<int>(value) : 1;
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
