// See the header. Reference: libpng-manual, the simplified interface.
#include "image/png_encode.h"

#include <png.h>

#include "galago/error.h"

namespace galago {

std::string encode_png(const RgbImage& image) {
  png_image png{};
  png.version = PNG_IMAGE_VERSION;
  png.width = static_cast<png_uint_32>(image.width);
  png.height = static_cast<png_uint_32>(image.height);
  png.format = PNG_FORMAT_RGB;
  png.flags = PNG_IMAGE_FLAG_FAST;
  png_alloc_size_t size = PNG_IMAGE_PNG_SIZE_MAX(png);
  std::string bytes(size, '\0');
  const bool written =
      png_image_write_to_memory(&png, bytes.data(), &size, 0, image.pixels.data(), 0, nullptr) != 0;
  png_image_free(&png);
  if (!written) throw Error(ErrorCode::resource, {.where = "a PNG picture", .got = png.message});
  bytes.resize(size);
  return bytes;
}

}  // namespace galago
