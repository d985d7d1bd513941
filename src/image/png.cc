// PNG through libpng. In: a PNG file, also interlaced. Out: RGB8: 1, 2 and 4-bit gray widened, palette looked
// up, 16-bit gray clipped to 255, other 16-bit samples cut to their high byte, alpha and tRNS dropped; gamma
// and colour profiles ignored. Reference: Pillow 12.3 PngImagePlugin.py, libImaging/Unpack.c, Convert.c
// (I16_RGB).
#include <png.h>

#include <array>
#include <csetjmp>
#include <cstring>
#include <vector>

#include "image/decoders.h"
#include "image/orientation.h"
#include "image/png_metadata.h"

namespace galago {
namespace {

constexpr int64_t kSignatureBytes = 8;
constexpr int64_t kHeaderEnd = 33;  // signature, then IHDR: length, name, 13 bytes, checksum

uint32_t big_endian(const uint8_t* at) { return png_get_uint_32(at); }

/// libpng's state. libpng leaves a failing call by longjmp; only functions without destructors to run may
/// call it, and they return false.
struct PngReader {
  png_structp png = nullptr;
  png_infop info = nullptr;
  const EncodedImage* file = nullptr;
  int64_t offset = 0;
  int passes = 1;
  std::array<char, 128> message{};

  ~PngReader() { png_destroy_read_struct(&png, &info, nullptr); }
};

[[noreturn]] void on_error(png_structp png, png_const_charp message) {
  auto* reader = static_cast<PngReader*>(png_get_error_ptr(png));
  std::strncpy(reader->message.data(), message, reader->message.size() - 1);
  png_longjmp(png, 1);
}

void on_warning(png_structp, png_const_charp) {}

void on_read(png_structp png, png_bytep out, size_t bytes) {
  auto* reader = static_cast<PngReader*>(png_get_io_ptr(png));
  if (static_cast<int64_t>(bytes) > reader->file->size() - reader->offset)
    png_error(png, "the file is truncated");
  std::memcpy(out, reader->file->data() + reader->offset, bytes);
  reader->offset += static_cast<int64_t>(bytes);
}

// Reads the chunks before the pixels and asks for one or two bytes a sample.
bool read_info(PngReader& reader) {
  reader.png = png_create_read_struct(PNG_LIBPNG_VER_STRING, &reader, on_error, on_warning);
  if (reader.png == nullptr) return false;
  if (setjmp(png_jmpbuf(reader.png)) != 0) return false;
  reader.info = png_create_info_struct(reader.png);
  if (reader.info == nullptr) return false;
  png_set_read_fn(reader.png, &reader, on_read);
  png_set_benign_errors(reader.png, 1);
  png_read_info(reader.png, reader.info);
  const int type = png_get_color_type(reader.png, reader.info);
  const int depth = png_get_bit_depth(reader.png, reader.info);
  if (type == PNG_COLOR_TYPE_GRAY && depth < 8) png_set_expand_gray_1_2_4_to_8(reader.png);
  if (type == PNG_COLOR_TYPE_PALETTE) png_set_packing(reader.png);
  if (type != PNG_COLOR_TYPE_GRAY && depth == 16) png_set_strip_16(reader.png);
  reader.passes = png_set_interlace_handling(reader.png);
  png_read_update_info(reader.png, reader.info);
  return true;
}

/// How one row of libpng's samples becomes RGB.
struct RowFormat {
  int channels = 0;
  int bytes_per_sample = 1;
  bool palette = false;
  std::array<uint8_t, 256 * 3> colors{};  // entries that the file lacks are black
};

RowFormat row_format(const PngReader& reader) {
  RowFormat format;
  format.channels = png_get_channels(reader.png, reader.info);
  format.bytes_per_sample = png_get_bit_depth(reader.png, reader.info) == 16 ? 2 : 1;
  format.palette = png_get_color_type(reader.png, reader.info) == PNG_COLOR_TYPE_PALETTE;
  png_colorp colors = nullptr;
  int count = 0;
  if (format.palette && png_get_PLTE(reader.png, reader.info, &colors, &count) != 0) {
    for (int i = 0; i < count; ++i) {
      const std::array<uint8_t, 3> color = {colors[i].red, colors[i].green, colors[i].blue};
      std::memcpy(format.colors.data() + i * 3, color.data(), 3);
    }
  }
  return format;
}

void to_rgb(const uint8_t* in, int64_t width, const RowFormat& format, uint8_t* out) {
  for (int64_t x = 0; x < width; ++x, out += 3) {
    const uint8_t* pixel = in + x * format.channels * format.bytes_per_sample;
    if (format.palette) {
      std::memcpy(out, format.colors.data() + pixel[0] * 3, 3);
    } else if (format.channels >= 3) {
      std::memcpy(out, pixel, 3);
    } else {
      const bool over = format.bytes_per_sample == 2 && pixel[0] != 0;  // big-endian: above 255
      std::memset(out, over ? 255 : pixel[format.bytes_per_sample - 1], 3);
    }
  }
}

// Interlaced files fill `rows` pass by pass; others reuse one row.
bool read_rows(PngReader& reader, uint8_t* rows, int64_t stride, const RowFormat& format, RgbImage& image) {
  if (setjmp(png_jmpbuf(reader.png)) != 0) return false;
  const bool interlaced = reader.passes > 1;
  for (int pass = 0; pass < reader.passes; ++pass) {
    for (int64_t y = 0; y < image.height; ++y) {
      uint8_t* row = rows + (interlaced ? y * stride : 0);
      png_read_row(reader.png, row, nullptr);
      if (pass + 1 == reader.passes) to_rgb(row, image.width, format, image.row(y));
    }
  }
  return true;
}

[[noreturn]] void throw_fault(const PngReader& reader) {
  throw_invalid_image(reader.file->where, std::string("libpng: ") + reader.message.data(), "a PNG image");
}

}  // namespace

ImageHeader read_png_header(const EncodedImage& file) {
  const uint8_t* header = file.data() + kSignatureBytes;
  if (file.size() < kHeaderEnd) throw_invalid_image(file.where, "a truncated PNG file", "a PNG header");
  if (big_endian(header) != 13 || std::memcmp(header + 4, "IHDR", 4) != 0) {
    throw_invalid_image(file.where, "a PNG file without its header chunk", "IHDR of 13 bytes");
  }
  const ImageSize size{big_endian(header + 8), big_endian(header + 12)};
  check_image_size(size, file.where);
  const PngMetadata metadata = read_png_metadata(file);
  const auto* exif = reinterpret_cast<const uint8_t*>(metadata.exif.data());
  return {size, read_orientation({exif, metadata.exif.size()}, metadata.xmp)};
}

RgbImage decode_png(const EncodedImage& file) {
  PngReader reader;
  reader.file = &file;
  if (!read_info(reader)) throw_fault(reader);
  RgbImage image = blank_image(
      {png_get_image_width(reader.png, reader.info), png_get_image_height(reader.png, reader.info)},
      file.where);
  const RowFormat format = row_format(reader);
  const auto stride = static_cast<int64_t>(png_get_rowbytes(reader.png, reader.info));
  std::vector<uint8_t> rows(stride * (reader.passes > 1 ? image.height : 1));
  if (!read_rows(reader, rows.data(), stride, format, image)) throw_fault(reader);
  return image;
}

}  // namespace galago
