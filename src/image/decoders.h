// One small interface over the image libraries. In: the bytes of one file whose format is known. Out: its
// header, then its pixels as RGB8 before orientation. Every decoder reports faults as galago::Error and
// keeps its library silent. Used by decode.cc alone.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>

#include "image/image.h"

namespace galago {

/// A file in memory and the name that errors give it.
struct EncodedImage {
  std::span<const std::byte> bytes;
  std::string where;

  int64_t size() const { return static_cast<int64_t>(bytes.size()); }
  const uint8_t* data() const { return reinterpret_cast<const uint8_t*>(bytes.data()); }
};

/// What a file says before its pixels are decoded: the stored size, and the EXIF orientation (1 to 8).
struct ImageHeader {
  ImageSize size;
  int orientation = 1;
};

/// Error{input_invalid} below 1x1, Error{input_too_large} over limits::kImageSide or limits::kImagePixels.
void check_image_size(ImageSize size, const std::string& where);
/// size.width x size.height pixels of zero; Error{resource} when memory is out.
RgbImage blank_image(ImageSize size, const std::string& where);
[[noreturn]] void throw_invalid_image(const std::string& where, const std::string& got,
                                      const std::string& expected);
[[noreturn]] void throw_unsupported_image(const std::string& where, const std::string& got,
                                          const std::string& expected);

// A header's size has been checked when these return; pixels are decoded only after that.
ImageHeader read_jpeg_header(const EncodedImage& file);
RgbImage decode_jpeg(const EncodedImage& file);
ImageHeader read_png_header(const EncodedImage& file);
RgbImage decode_png(const EncodedImage& file);
ImageHeader read_webp_header(const EncodedImage& file);
RgbImage decode_webp(const EncodedImage& file);
ImageHeader read_gif_header(const EncodedImage& file);
RgbImage decode_gif(const EncodedImage& file);
ImageHeader read_bmp_header(const EncodedImage& file);
RgbImage decode_bmp(const EncodedImage& file);

}  // namespace galago
