// PNG through libpng. In: a PNG file, also interlaced. Out: RGB8: 1, 2 and 4-bit gray widened, palette looked
// up, 16-bit gray clipped to 255, other 16-bit samples cut to their high byte, alpha and tRNS dropped; gamma
// and colour profiles ignored. Reference: Pillow 12.3 PngImagePlugin.py, libImaging/Unpack.c, Convert.c
// (I16_RGB).
#include <png.h>

#include <algorithm>
#include <array>
#include <csetjmp>
#include <cstring>
#include <memory>
#include <string_view>

#include "core/printable.h"
#include "image/decoders.h"
#include "image/orientation.h"
#include "image/png_metadata.h"

namespace galago {
namespace {

constexpr int64_t kSignatureBytes = 8;
constexpr int64_t kHeaderEnd = 33;        // signature, then IHDR: length, name, 13 bytes, checksum
constexpr int64_t kChunkOverhead = 12;    // length, name and checksum around a chunk's data
constexpr int64_t kMostInflation = 1032;  // bytes that one byte of a deflate stream can stand for

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
  // Chunks that say nothing about the samples are passed over unread, whatever length they claim.
  png_set_keep_unknown_chunks(reader.png, PNG_HANDLE_CHUNK_NEVER, nullptr, -1);
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

// Interlaced files fill `rows` pass by pass; others reuse one row. The image grows with the last pass.
bool read_rows(PngReader& reader, uint8_t* rows, int64_t stride, const RowFormat& format, RgbImage& image) {
  if (setjmp(png_jmpbuf(reader.png)) != 0) return false;
  const bool interlaced = reader.passes > 1;
  for (int pass = 0; pass < reader.passes; ++pass) {
    for (int64_t y = 0; y < image.height; ++y) {
      uint8_t* row = rows + (interlaced ? y * stride : 0);
      png_read_row(reader.png, row, nullptr);
      if (pass + 1 < reader.passes) continue;
      grow_rows(image, y + 1);
      to_rgb(row, image.width, format, image.row(y));
    }
  }
  return true;
}

[[noreturn]] void throw_fault(const PngReader& reader) {
  throw_invalid_image(reader.file->where, std::string("libpng: ") + reader.message.data(), "a PNG image");
}

/// IHDR, as far as it tells what decoding takes.
struct PngHeader {
  ImageSize size;
  int64_t pixel_bits = 0;  ///< in the file
  int64_t row_bytes = 0;   ///< as libpng hands rows out
  bool interlaced = false;
};

// An unknown colour type counts as one sample; libpng refuses it.
PngHeader read_header(const EncodedImage& file) {
  const uint8_t* header = file.data() + kSignatureBytes;
  if (file.size() < kHeaderEnd) throw_invalid_image(file.where, "a truncated PNG file", "a PNG header");
  if (big_endian(header) != 13 || std::memcmp(header + 4, "IHDR", 4) != 0) {
    throw_invalid_image(file.where, "a PNG file without its header chunk", "IHDR of 13 bytes");
  }
  PngHeader found{.size = {big_endian(header + 8), big_endian(header + 12)}};
  check_image_size(found.size, file.where);
  const int64_t depth = header[16];
  const int type = header[17];
  const int64_t samples = type == PNG_COLOR_TYPE_RGB          ? 3
                          : type == PNG_COLOR_TYPE_RGB_ALPHA  ? 4
                          : type == PNG_COLOR_TYPE_GRAY_ALPHA ? 2
                                                              : 1;
  found.pixel_bits = samples * depth;
  found.row_bytes = found.size.width * samples * (type == PNG_COLOR_TYPE_GRAY && depth == 16 ? 2 : 1);
  found.interlaced = header[20] != PNG_INTERLACE_NONE;
  return found;
}

// The bytes of all rows as the file stores them, each with its filter's number.
int64_t stored_bytes(const PngHeader& header) {
  const auto rows = [&](int64_t width, int64_t height) {
    return width == 0 ? 0 : height * ((width * header.pixel_bits + 7) / 8 + 1);
  };
  if (!header.interlaced) return rows(header.size.width, header.size.height);
  int64_t bytes = 0;
  for (int pass = 0; pass < PNG_INTERLACE_ADAM7_PASSES; ++pass)
    bytes += rows(PNG_PASS_COLS(header.size.width, pass), PNG_PASS_ROWS(header.size.height, pass));
  return bytes;
}

// Up to the pixels' data chunks must lie within the file, and these must be able to hold the pixels.
void check_chunks(const EncodedImage& file, const PngHeader& header) {
  int64_t data = 0;
  for (int64_t at = kSignatureBytes; file.size() - at >= kChunkOverhead;) {
    const int64_t length = big_endian(file.data() + at);
    const std::string_view name(reinterpret_cast<const char*>(file.data() + at + 4), 4);
    const int64_t left = file.size() - at - kChunkOverhead;
    if (name == "IDAT") data += std::min(length, left);
    if (length > left && data == 0)
      throw_invalid_image(file.where,
                          "a chunk " + in_quotes(name) + " of " + std::to_string(length) + " bytes",
                          "at most " + std::to_string(left) + ", what the rest of the file holds");
    if (length > left) break;
    at += length + kChunkOverhead;
  }
  if (data < stored_bytes(header) / kMostInflation)
    throw_invalid_image(file.where, "a truncated PNG file", "all of the image's data");
}

}  // namespace

ImageHeader read_png_header(const EncodedImage& file) {
  const PngHeader header = read_header(file);
  const PngMetadata metadata = read_png_metadata(file);
  const auto* exif = reinterpret_cast<const uint8_t*>(metadata.exif.data());
  const int64_t pixels = header.size.width * header.size.height;
  const int64_t rows = header.interlaced ? header.row_bytes * header.size.height : header.row_bytes;
  return {header.size, read_orientation({exif, metadata.exif.size()}, metadata.xmp), pixels * 3 + rows};
}

RgbImage decode_png(const EncodedImage& file) {
  check_chunks(file, read_header(file));
  PngReader reader;
  reader.file = &file;
  if (!read_info(reader)) throw_fault(reader);
  RgbImage image = rowless_image(
      {png_get_image_width(reader.png, reader.info), png_get_image_height(reader.png, reader.info)},
      file.where);
  const RowFormat format = row_format(reader);
  const auto stride = static_cast<int64_t>(png_get_rowbytes(reader.png, reader.info));
  // Not zeroed: memory is touched as the passes come, and the last one leaves no pixel out.
  const auto rows = std::make_unique_for_overwrite<uint8_t[]>(
      static_cast<size_t>(stride * (reader.passes > 1 ? image.height : 1)));
  if (!read_rows(reader, rows.get(), stride, format, image)) throw_fault(reader);
  return image;
}

}  // namespace galago
