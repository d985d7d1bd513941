// BMP. In: a Windows or OS/2 bitmap: 1, 4, 8, 16, 24 or 32 bits, bit fields, RLE4 and RLE8, bottom-up or
// top-down. Out: RGB8; a fourth byte is dropped. No library of Debian reads what Pillow reads
// (docs/decisions/0002-bmp-reader.md). Reference: Pillow 13.0 BmpImagePlugin.py, libImaging/Unpack.c.
#include <algorithm>
#include <array>
#include <cstring>
#include <vector>

#include "image/decoders.h"

namespace galago {
namespace {

constexpr int64_t kFileHeaderBytes = 14;
constexpr int64_t kCoreHeader = 12;
constexpr int64_t kInfoHeader = 40;
constexpr int64_t kMasksHeader = 52;  // the first header that holds the three colour masks
constexpr int64_t kAlphaHeader = 56;  // and the alpha mask
constexpr std::array<int64_t, 7> kHeaderSizes = {kCoreHeader, kInfoHeader, kMasksHeader, kAlphaHeader,
                                                 64,          108,         124};
constexpr int64_t kMostColors = 65536;

enum Compression : uint32_t { kRaw = 0, kRle8 = 1, kRle4 = 2, kBitFields = 3 };
using Masks = std::array<uint32_t, 4>;  // red, green, blue, alpha

/// Little-endian reads; beyond the end is input_invalid.
class Reader {
 public:
  Reader(const EncodedImage& file, int64_t at) : file_(file), at_(at) {}

  int64_t at() const { return at_; }
  int64_t left() const { return std::max<int64_t>(file_.size() - at_, 0); }
  uint32_t u8() { return *take(1); }
  uint32_t u16() {
    const uint8_t* p = take(2);
    return p[0] | p[1] << 8;
  }
  uint32_t u32() {
    const uint8_t* p = take(4);
    return p[0] | p[1] << 8 | p[2] << 16 | static_cast<uint32_t>(p[3]) << 24;
  }
  const uint8_t* take(int64_t bytes) {
    if (bytes > left()) throw_invalid_image(file_.where, "a truncated BMP file", "all of the image's data");
    const uint8_t* p = file_.data() + at_;
    at_ += bytes;
    return p;
  }
  void skip(int64_t bytes) { at_ += bytes; }

 private:
  const EncodedImage& file_;
  int64_t at_;
};

/// Everything before the pixels.
struct Bitmap {
  int64_t width = 0;
  int64_t height = 0;
  bool top_down = false;
  int64_t bits = 0;
  uint32_t compression = kRaw;
  int64_t colors = 0;
  int64_t color_bytes = 4;  // 3 in the oldest header
  Masks masks{};
  int64_t header_size = 0;
  int64_t after_header = 0;  // where the palette begins
  int64_t data = 0;          // where the pixels begin
};

void read_core_header(Reader& reader, Bitmap& bitmap) {
  bitmap.width = reader.u16();
  bitmap.height = reader.u16();
  reader.u16();  // planes
  bitmap.bits = reader.u16();
  bitmap.color_bytes = 3;
}

void read_masks(Reader& reader, Bitmap& bitmap) {
  const int count = bitmap.header_size >= kAlphaHeader ? 4 : 3;
  for (int i = 0; i < count; ++i) bitmap.masks[i] = reader.u32();
}

void read_info_header(Reader& reader, Bitmap& bitmap, const std::string& where) {
  const auto width = static_cast<int32_t>(reader.u32());
  const auto height = static_cast<int32_t>(reader.u32());
  if (width < 0) throw_invalid_image(where, "a BMP width of " + std::to_string(width), "a positive width");
  bitmap.width = width;
  bitmap.top_down = height < 0;
  bitmap.height = std::abs(static_cast<int64_t>(height));
  reader.u16();  // planes
  bitmap.bits = reader.u16();
  bitmap.compression = reader.u32();
  reader.take(12);  // size of the data, pixels per meter
  bitmap.colors = reader.u32();
  reader.u32();  // important colours
  if (bitmap.compression == kBitFields) read_masks(reader, bitmap);
}

void check_variant(const Bitmap& bitmap, const std::string& where) {
  constexpr std::array<int64_t, 6> depths = {1, 4, 8, 16, 24, 32};
  if (std::find(depths.begin(), depths.end(), bitmap.bits) == depths.end()) {
    throw_unsupported_image(where, "a BMP of " + std::to_string(bitmap.bits) + " bits a pixel",
                            "1, 4, 8, 16, 24 or 32");
  }
  if (bitmap.compression > kBitFields) {
    throw_unsupported_image(where, "BMP compression " + std::to_string(bitmap.compression),
                            "none, RLE8, RLE4 or bit fields");
  }
  const bool rle = bitmap.compression == kRle8 || bitmap.compression == kRle4;
  if ((rle && bitmap.bits > 8) || (bitmap.compression == kBitFields && bitmap.bits < 16)) {
    throw_unsupported_image(where,
                            "a BMP of " + std::to_string(bitmap.bits) + " bits with compression " +
                                std::to_string(bitmap.compression),
                            "RLE for palettes, bit fields for 16, 24 or 32 bits");
  }
  if (bitmap.bits <= 8 && bitmap.colors > kMostColors) {
    throw_invalid_image(where, "a BMP palette of " + std::to_string(bitmap.colors) + " colours",
                        "at most " + std::to_string(kMostColors));
  }
}

Bitmap read_bitmap(const EncodedImage& file) {
  Reader reader(file, kFileHeaderBytes - 4);
  Bitmap bitmap;
  bitmap.data = reader.u32();
  bitmap.header_size = reader.u32();
  if (std::find(kHeaderSizes.begin(), kHeaderSizes.end(), bitmap.header_size) == kHeaderSizes.end()) {
    throw_unsupported_image(file.where, "a BMP header of " + std::to_string(bitmap.header_size) + " bytes",
                            "a Windows or OS/2 header");
  }
  if (bitmap.header_size == kCoreHeader) {
    read_core_header(reader, bitmap);
  } else {
    read_info_header(reader, bitmap, file.where);
  }
  check_image_size({bitmap.width, bitmap.height}, file.where);
  if (bitmap.colors == 0) bitmap.colors = int64_t{1} << std::min<int64_t>(bitmap.bits, 32);
  check_variant(bitmap, file.where);

  const int64_t header_end = kFileHeaderBytes + bitmap.header_size;
  bitmap.after_header = std::max(header_end, reader.at());
  const int64_t palette_bytes = bitmap.bits <= 8 ? bitmap.colors * bitmap.color_bytes : 0;
  if (bitmap.data == header_end || bitmap.data == 0) {  // many files leave the palette out of the offset
    bitmap.data = (bitmap.data == 0 ? bitmap.after_header : bitmap.data) + palette_bytes;
  }
  return bitmap;
}

/// How the pixels' numbers become colours.
struct Palette {
  std::array<uint8_t, 256 * 3> colors{};  // entries that the file lacks are black
  int64_t bits = 0;                       // bits of one pixel in the data
  bool black_white = false;
};

// A palette that is exactly black and white, or the gray ramp, is not a palette to Pillow: pixels are then
// read as 1-bit or 8-bit gray, whatever the depth says.
Palette read_palette(const EncodedImage& file, const Bitmap& bitmap) {
  Reader reader(file, bitmap.after_header);
  const int64_t count = std::min(bitmap.colors, reader.left() / bitmap.color_bytes);
  const uint8_t* entries = reader.take(count * bitmap.color_bytes);
  Palette palette{.bits = bitmap.bits};
  bool gray = count == bitmap.colors && bitmap.colors <= 256;
  for (int64_t i = 0; i < std::min<int64_t>(count, 256); ++i) {
    const uint8_t* entry = entries + i * bitmap.color_bytes;
    const uint8_t level = static_cast<uint8_t>(bitmap.colors == 2 ? i * 255 : i);
    for (int64_t c = 0; c < 3; ++c) {
      palette.colors[i * 3 + c] = entry[2 - c];
      gray = gray && entry[c] == level;
    }
  }
  if (!gray) return palette;
  palette.black_white = bitmap.colors <= 2;
  palette.bits = palette.black_white ? 1 : 8;
  for (int i = 0; i < 256; ++i)
    std::memset(palette.colors.data() + i * 3, palette.black_white && i > 0 ? 255 : i, 3);
  return palette;
}

// One pixel's palette index per byte, as RLE describes it. Follows Pillow where the format leaves room: runs
// are cut at the row's end, literal pixels at the image's, skipped pixels are 0.
std::vector<uint8_t> expand_rle(const EncodedImage& file, const Bitmap& bitmap) {
  const bool nibbles = bitmap.compression == kRle4;
  const auto total = static_cast<size_t>(bitmap.width * bitmap.height);
  Reader reader(file, bitmap.data);
  std::vector<uint8_t> pixels;
  pixels.reserve(total);
  int64_t x = 0;
  const auto put = [&](uint32_t value) { pixels.push_back(static_cast<uint8_t>(value)); };
  while (pixels.size() < total && reader.left() >= 2) {
    const uint32_t run = reader.u8();
    const uint32_t value = reader.u8();
    if (run > 0) {
      const int64_t count = std::clamp<int64_t>(bitmap.width - x, 0, run);
      for (int64_t i = 0; i < count; ++i) put(!nibbles ? value : i % 2 == 0 ? value >> 4 : value & 15);
      x += count;
    } else if (value == 0) {  // end of row
      while (pixels.size() % bitmap.width != 0) put(0);
      x = 0;
    } else if (value == 1) {  // end of image
      break;
    } else if (value == 2) {  // move right and up
      if (reader.left() < 2) break;
      const int64_t right = reader.u8();
      const int64_t skipped = right + reader.u8() * bitmap.width;
      pixels.resize(std::min<size_t>(pixels.size() + skipped, total));
      x = static_cast<int64_t>(pixels.size()) % bitmap.width;
    } else {  // literal pixels, padded to an even place
      const auto count = static_cast<int64_t>(std::min<size_t>(value, total - pixels.size()));
      const int64_t bytes = nibbles ? (count + 1) / 2 : count;
      if (bytes > reader.left()) break;
      uint32_t byte = 0;
      for (int64_t i = 0; i < count; ++i) {
        const bool fresh = !nibbles || i % 2 == 0;
        if (fresh) byte = reader.u8();
        put(!nibbles ? byte : fresh ? byte >> 4 : byte & 15);
      }
      x += value;
      if (reader.at() % 2 != 0) reader.skip(1);
    }
  }
  if (pixels.size() < total)
    throw_invalid_image(file.where, "RLE data that end early", "all of the image's pixels");
  return pixels;
}

int64_t file_row(const Bitmap& bitmap, int64_t y) { return bitmap.top_down ? y : bitmap.height - 1 - y; }

// Calls put_row(data, row of the image) for every row of uncompressed pixels, which are padded to 4 bytes.
template <typename PutRow>
void for_each_row(const EncodedImage& file, const Bitmap& bitmap, int64_t bits, RgbImage& image,
                  PutRow put_row) {
  const int64_t stride = (bitmap.width * bitmap.bits + 31) / 32 * 4;
  const int64_t row_bytes = (bitmap.width * bits + 7) / 8;
  if (row_bytes > stride) throw_invalid_image(file.where, "BMP rows shorter than their pixels", "whole rows");
  const uint8_t* rows = Reader(file, bitmap.data).take(stride * (bitmap.height - 1) + row_bytes);
  grow_rows(image, bitmap.height);
  for (int64_t y = 0; y < bitmap.height; ++y) put_row(rows + file_row(bitmap, y) * stride, image.row(y));
}

void decode_indexed(const EncodedImage& file, const Bitmap& bitmap, RgbImage& image) {
  const Palette palette = read_palette(file, bitmap);
  const auto put = [&](uint8_t* out, uint32_t index) {
    std::memcpy(out, palette.colors.data() + index * 3, 3);
  };
  if (bitmap.compression != kRaw) {
    const std::vector<uint8_t> pixels = expand_rle(file, bitmap);
    grow_rows(image, bitmap.height);
    for (int64_t y = 0; y < bitmap.height; ++y) {
      const uint8_t* in = pixels.data() + file_row(bitmap, y) * bitmap.width;
      for (int64_t x = 0; x < bitmap.width; ++x) put(image.row(y) + x * 3, in[x]);
    }
    return;
  }
  const int64_t bits = palette.bits;
  for_each_row(file, bitmap, bits, image, [&](const uint8_t* in, uint8_t* out) {
    for (int64_t x = 0; x < bitmap.width; ++x) {
      const int64_t shift = 8 - bits - x * bits % 8;
      put(out + x * 3, (in[x * bits / 8] >> shift) & ((1 << bits) - 1));
    }
  });
}

// 16 bits: five bits a channel, or six for green; scaled to bytes by truncation.
void decode_16_bits(const EncodedImage& file, const Bitmap& bitmap, RgbImage& image) {
  constexpr Masks five_six_five = {0xF800, 0x7E0, 0x1F, 0};
  constexpr Masks five_five_five = {0x7C00, 0x3E0, 0x1F, 0};
  const Masks colors = {bitmap.masks[0], bitmap.masks[1], bitmap.masks[2], 0};
  if (bitmap.compression == kBitFields && colors != five_six_five && colors != five_five_five) {
    throw_unsupported_image(file.where, "unusual BMP bit fields", "5-5-5 or 5-6-5");
  }
  const bool six = bitmap.compression == kBitFields && colors == five_six_five;
  for_each_row(file, bitmap, 16, image, [&](const uint8_t* in, uint8_t* out) {
    for (int64_t x = 0; x < bitmap.width; ++x) {
      const int pixel = in[x * 2] | in[x * 2 + 1] << 8;
      out[x * 3] = static_cast<uint8_t>((pixel >> (six ? 11 : 10) & 31) * 255 / 31);
      out[x * 3 + 1] =
          static_cast<uint8_t>(six ? (pixel >> 5 & 63) * 255 / 63 : (pixel >> 5 & 31) * 255 / 31);
      out[x * 3 + 2] = static_cast<uint8_t>((pixel & 31) * 255 / 31);
    }
  });
}

// The layouts of bit fields that are read, by their masks.
bool known_layout(const Bitmap& bitmap) {
  constexpr std::array<Masks, 8> layouts = {{{0xFF0000, 0xFF00, 0xFF, 0},
                                             {0xFF000000, 0xFF0000, 0xFF00, 0},
                                             {0xFF000000, 0xFF00, 0xFF, 0},
                                             {0xFF000000, 0xFF0000, 0xFF00, 0xFF},
                                             {0xFF, 0xFF00, 0xFF0000, 0xFF000000},
                                             {0xFF0000, 0xFF00, 0xFF, 0xFF000000},
                                             {0xFF000000, 0xFF00, 0xFF, 0xFF0000},
                                             {0, 0, 0, 0}}};
  if (bitmap.bits == 24) return std::equal(layouts[0].begin(), layouts[0].begin() + 3, bitmap.masks.begin());
  return std::find(layouts.begin(), layouts.end(), bitmap.masks) != layouts.end();
}

// 24 and 32 bits: whole bytes, whose order the masks give; blue, green, red without them.
void decode_true_color(const EncodedImage& file, const Bitmap& bitmap, RgbImage& image) {
  std::array<int64_t, 3> place = {2, 1, 0};
  if (bitmap.compression == kBitFields) {
    if (!known_layout(bitmap)) throw_unsupported_image(file.where, "unusual BMP bit fields", "whole bytes");
    for (int c = 0; c < 3 && bitmap.masks[0] != 0; ++c) place[c] = std::countr_zero(bitmap.masks[c]) / 8;
  }
  const int64_t bytes = bitmap.bits / 8;
  for_each_row(file, bitmap, bitmap.bits, image, [&](const uint8_t* in, uint8_t* out) {
    for (int64_t x = 0; x < bitmap.width; ++x) {
      for (int64_t c = 0; c < 3; ++c) out[x * 3 + c] = in[x * bytes + place[c]];
    }
  });
}

}  // namespace

ImageHeader read_bmp_header(const EncodedImage& file) {
  const Bitmap bitmap = read_bitmap(file);
  const int64_t bytes = bitmap.compression == kRaw || bitmap.compression == kBitFields ? 3 : 4;
  return {.size = {bitmap.width, bitmap.height}, .memory = bytes * bitmap.width * bitmap.height};
}

RgbImage decode_bmp(const EncodedImage& file) {
  const Bitmap bitmap = read_bitmap(file);
  RgbImage image = rowless_image({bitmap.width, bitmap.height}, file.where);  // rows once data are there
  if (bitmap.bits <= 8) {
    decode_indexed(file, bitmap, image);
  } else if (bitmap.bits == 16) {
    decode_16_bits(file, bitmap, image);
  } else {
    decode_true_color(file, bitmap, image);
  }
  return image;
}

}  // namespace galago
