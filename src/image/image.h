// Decoded images. In: the bytes of a JPEG, PNG, WebP, BMP or GIF file (content decides, not the name). Out:
// RGB8. Decoding matches Pillow bit for bit: EXIF orientation applied, then gray, palette, 16-bit and CMYK
// converted and alpha dropped, as transformers' load_image and convert_to_rgb do. Reference: Pillow 12.3,
// transformers 5.18.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <vector>

namespace galago {

/// height x width x 3 bytes, row by row, red first.
struct RgbImage {
  int64_t width = 0;
  int64_t height = 0;
  std::vector<uint8_t> pixels;

  const uint8_t* row(int64_t y) const { return pixels.data() + y * width * 3; }
  uint8_t* row(int64_t y) { return pixels.data() + y * width * 3; }
};

/// Width and height as they will be after orientation, read from the header alone.
struct ImageSize {
  int64_t width = 0;
  int64_t height = 0;
};

/// Decodes a whole file held in memory; `where` names it in errors. Sizes are checked against limits::kImage*
/// from the header before pixels are allocated. Errors: input_invalid (corrupt, truncated, 0 pixels),
/// input_too_large, unsupported_media (a format or variant that is not decoded).
RgbImage decode_image(std::span<const std::byte> bytes, const std::string& where);
/// How many pictures a file holds: those of a TIFF file, 1 of another. Errors of decode_image;
/// Error{input_too_large} over limits::kImagePages.
int64_t image_pages(std::span<const std::byte> bytes, const std::string& where);
/// One of them, from 1. Error{input_invalid} for a page that the file does not have.
RgbImage decode_image_page(std::span<const std::byte> bytes, int64_t page, const std::string& where);
/// The size alone, without decoding; same errors as far as the header shows them.
ImageSize read_image_size(std::span<const std::byte> bytes, const std::string& where);
/// decode_image of a file; Error{not_found}, Error{input_invalid} when it is not a regular file,
/// Error{input_too_large} over limits::kImageBytes.
RgbImage load_image(const std::filesystem::path& file);

}  // namespace galago
