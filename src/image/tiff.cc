// TIFF through libtiff. In: a TIFF or BigTIFF file. Out: RGB8 of its first picture. Strips of one plane are
// read row by row; tiles and planes block by block. libtiff reads the file where it lies in memory, reports
// to this file's own handler and prints nothing. Reference: Pillow 12.3 TiffImagePlugin.py, TiffDecode.c.
#include "image/tiff.h"

#include <algorithm>
#include <cstdarg>
#include <cstdio>
#include <cstring>

#include "core/limits.h"
#include "galago/error.h"
#include "image/orientation.h"

namespace galago {
namespace {

constexpr int kMostSamples = 6;            // of one pixel, as Pillow
constexpr uint16_t kCorelAlpha = 999;      // ExtraSamples of Corel Draw
constexpr int64_t kSpareBytes = 64 << 20;  // that a file may make libtiff hold besides its pixels
constexpr uint32_t kReducedPicture = 1;    // a bit of NewSubfileType
// Blocks are decoded whole, edges beyond the picture too, and several may share bytes of the file. So many
// pixels may they have for each of the picture besides limits::kCanvasPixels, and so many bytes for each of
// the file besides kSpareBytes.
constexpr int64_t kMostPixelsForOne = 4;
constexpr int64_t kMostBytesForOne = 4;

TiffMemory& memory_of(thandle_t handle) { return *static_cast<TiffMemory*>(handle); }

tmsize_t read_memory(thandle_t handle, void* out, tmsize_t size) {
  TiffMemory& memory = memory_of(handle);
  const uint64_t left = memory.at < memory.size ? memory.size - memory.at : 0;
  const uint64_t count = std::min<uint64_t>(left, static_cast<uint64_t>(std::max<tmsize_t>(size, 0)));
  if (count > 0) std::memcpy(out, memory.data + memory.at, count);
  memory.at += count;
  return static_cast<tmsize_t>(count);
}

tmsize_t refuse_write(thandle_t /*handle*/, void* /*data*/, tmsize_t /*size*/) { return -1; }

toff_t seek_memory(thandle_t handle, toff_t offset, int from) {
  TiffMemory& memory = memory_of(handle);
  const uint64_t base = from == SEEK_CUR ? memory.at : from == SEEK_END ? memory.size : 0;
  return memory.at = base + offset;
}

int keep_open(thandle_t /*handle*/) { return 0; }
toff_t size_of_memory(thandle_t handle) { return memory_of(handle).size; }

int map_memory(thandle_t handle, void** base, toff_t* size) {
  *base = const_cast<uint8_t*>(memory_of(handle).data);  // libtiff only reads it
  *size = memory_of(handle).size;
  return 1;
}

void unmap_memory(thandle_t /*handle*/, void* /*base*/, toff_t /*size*/) {}

int keep_fault(TIFF* /*tiff*/, void* user, const char* /*module*/, const char* format, va_list values) {
  auto& fault = static_cast<TiffMemory*>(user)->fault;
  if (fault[0] == 0) std::vsnprintf(fault.data(), fault.size(), format, values);
  return 1;  // goes no further
}

int ignore_warning(TIFF* /*tiff*/, void* /*user*/, const char* /*module*/, const char* /*format*/,
                   va_list /*values*/) {
  return 1;
}

[[noreturn]] void throw_fault(const TiffMemory& memory, const EncodedImage& file) {
  const std::string fault = memory.fault[0] == 0 ? "damaged data" : memory.fault.data();
  throw_invalid_image(file.where, "TIFF: " + fault, "a whole TIFF image");
}

[[noreturn]] void throw_variant(const EncodedImage& file, const std::string& what) {
  throw_unsupported_image(file.where, "a TIFF " + what,
                          "a bilevel, gray, palette, RGB, CMYK or YCbCr TIFF: convert it to PNG");
}

struct FreeOptions {
  void operator()(TIFFOpenOptions* options) const { TIFFOpenOptionsFree(options); }
};

TiffHandle open_tiff(TiffMemory& memory, const EncodedImage& file) {
  memory.data = file.data();
  memory.size = file.bytes.size();
  const std::unique_ptr<TIFFOpenOptions, FreeOptions> options(TIFFOpenOptionsAlloc());
  if (options == nullptr) throw std::bad_alloc();
  TIFFOpenOptionsSetMaxSingleMemAlloc(options.get(), file.size() + kSpareBytes);
  TIFFOpenOptionsSetErrorHandlerExtR(options.get(), keep_fault, &memory);
  TIFFOpenOptionsSetWarningHandlerExtR(options.get(), ignore_warning, nullptr);
  TiffHandle tiff(TIFFClientOpenExt("image", "r", &memory, read_memory, refuse_write, seek_memory, keep_open,
                                    size_of_memory, map_memory, unmap_memory, options.get()));
  if (tiff == nullptr) throw_fault(memory, file);
  return tiff;
}

template <typename Value>
Value field(TIFF* tiff, uint32_t tag, Value otherwise) {
  Value value = otherwise;
  return TIFFGetFieldDefaulted(tiff, tag, &value) == 1 ? value : otherwise;
}

// A camera's own format begins with a small preview, which is not the picture.
bool is_camera_raw(TIFF* tiff) {
  uint16_t count = 0;
  void* offsets = nullptr;
  return (field<uint32_t>(tiff, TIFFTAG_SUBFILETYPE, 0) & kReducedPicture) != 0 &&
         TIFFGetField(tiff, TIFFTAG_SUBIFD, &count, &offsets) == 1;
}

ImageSize size_of(TIFF* tiff, const EncodedImage& file) {
  const ImageSize size{field<uint32_t>(tiff, TIFFTAG_IMAGEWIDTH, 0),
                       field<uint32_t>(tiff, TIFFTAG_IMAGELENGTH, 0)};
  check_image_size(size, file.where);
  if (is_camera_raw(tiff)) throw_variant(file, "of a camera (raw), whose first picture is a preview");
  return size;
}

int orientation_of(TIFF* tiff) {
  uint16_t orientation = 0;
  if (TIFFGetField(tiff, TIFFTAG_ORIENTATION, &orientation) == 1)
    return orientation >= 1 && orientation <= 8 ? orientation : 1;
  uint32_t count = 0;
  const char* xmp = nullptr;
  if (TIFFGetField(tiff, TIFFTAG_XMLPACKET, &count, &xmp) != 1) return 1;
  return read_orientation({}, {xmp, count});
}

void check_compression(TIFF* tiff, const EncodedImage& file) {
  constexpr std::array<uint16_t, 12> known = {
      COMPRESSION_NONE, COMPRESSION_CCITTRLE, COMPRESSION_CCITTFAX3, COMPRESSION_CCITTFAX4,
      COMPRESSION_LZW,  COMPRESSION_JPEG,     COMPRESSION_PACKBITS,  COMPRESSION_ADOBE_DEFLATE,
      COMPRESSION_LZMA, COMPRESSION_DEFLATE,  COMPRESSION_ZSTD,      COMPRESSION_CCITTRLEW};
  const auto compression = field<uint16_t>(tiff, TIFFTAG_COMPRESSION, COMPRESSION_NONE);
  const bool reads = std::find(known.begin(), known.end(), compression) != known.end();
  if (!reads || TIFFIsCODECConfigured(compression) == 0)
    throw_variant(file, "of compression " + std::to_string(compression));
}

// The extra samples' first kind: 0 for one that means nothing, and when there are none.
uint16_t extra_sample(TIFF* tiff) {
  uint16_t count = 0;
  const uint16_t* kinds = nullptr;
  if (TIFFGetField(tiff, TIFFTAG_EXTRASAMPLES, &count, &kinds) != 1 || count == 0) return 0;
  return kinds[0] == kCorelAlpha ? static_cast<uint16_t>(EXTRASAMPLE_UNASSALPHA) : kinds[0];
}

void read_palette(TIFF* tiff, TiffLayout& layout, const EncodedImage& file) {
  const uint16_t* red = nullptr;
  const uint16_t* green = nullptr;
  const uint16_t* blue = nullptr;
  if (layout.bits > 8 || TIFFGetField(tiff, TIFFTAG_COLORMAP, &red, &green, &blue) != 1)
    throw_invalid_image(file.where, "a TIFF palette image without its colours", "a ColorMap");
  for (int i = 0; i < 1 << layout.bits; ++i) {
    layout.palette[i * 3] = static_cast<uint8_t>(red[i] >> 8);
    layout.palette[i * 3 + 1] = static_cast<uint8_t>(green[i] >> 8);
    layout.palette[i * 3 + 2] = static_cast<uint8_t>(blue[i] >> 8);
  }
}

// Which of TiffColors it is, if the number of samples and their bits fit it.
bool name_colors(TIFF* tiff, TiffLayout& layout) {
  const bool whole = layout.form != 3;
  const bool bytes = layout.bits == 8 && layout.form == 1;
  const bool words = layout.bits == 16 && layout.form == 1;
  switch (field<uint16_t>(tiff, TIFFTAG_PHOTOMETRIC, PHOTOMETRIC_MINISWHITE)) {
    case PHOTOMETRIC_MINISWHITE:
      layout.white_is_zero = true;
      [[fallthrough]];
    case PHOTOMETRIC_MINISBLACK:
      if (layout.bits <= 8) return whole && layout.samples <= (bytes ? 2 : 1);
      layout.colors = TiffColors::gray_unscaled;
      return layout.samples == 1 && (layout.bits == 32 || (whole && layout.bits <= 16));
    case PHOTOMETRIC_RGB:
      layout.colors = TiffColors::rgb;
      return layout.samples >= 3 && (bytes || words);
    case PHOTOMETRIC_PALETTE:
      layout.colors = TiffColors::palette;
      return layout.form == 1 && layout.bits <= 8 && layout.samples <= (bytes ? 2 : 1);
    case PHOTOMETRIC_SEPARATED:
      layout.colors = TiffColors::cmyk;
      return layout.samples >= 4 && (bytes || words);
    case PHOTOMETRIC_YCBCR:
      layout.colors = TiffColors::ycbcr;
      return bytes && layout.samples == 3;
    default:
      return false;
  }
}

TiffLayout layout_of(TIFF* tiff, const EncodedImage& file) {
  TiffLayout layout{.size = size_of(tiff, file)};
  check_compression(tiff, file);
  layout.bits = field<uint16_t>(tiff, TIFFTAG_BITSPERSAMPLE, 1);
  layout.form = field<uint16_t>(tiff, TIFFTAG_SAMPLEFORMAT, SAMPLEFORMAT_UINT);
  layout.samples = field<uint16_t>(tiff, TIFFTAG_SAMPLESPERPIXEL, 1);
  constexpr std::array<int, 7> depths = {1, 2, 4, 8, 12, 16, 32};
  const bool fits = std::find(depths.begin(), depths.end(), layout.bits) != depths.end() &&
                    layout.form >= 1 && layout.form <= 3 && layout.samples >= 1 &&
                    layout.samples <= kMostSamples;
  if (!fits || !name_colors(tiff, layout))
    throw_variant(file, "of photometric interpretation " +
                            std::to_string(field<uint16_t>(tiff, TIFFTAG_PHOTOMETRIC, 0)) + " with " +
                            std::to_string(layout.samples) + " samples of " + std::to_string(layout.bits) +
                            " bits");
  layout.apart =
      layout.samples > 1 && field<uint16_t>(tiff, TIFFTAG_PLANARCONFIG, 1) == PLANARCONFIG_SEPARATE;
  if (layout.colors == TiffColors::palette) read_palette(tiff, layout, file);
  if (layout.colors == TiffColors::rgb) {
    layout.premultiplied = layout.samples > 3 && extra_sample(tiff) == EXTRASAMPLE_ASSOCALPHA;
    layout.used = layout.premultiplied ? 4 : 3;
  }
  if (layout.colors == TiffColors::cmyk) layout.used = 4;
  if (layout.colors == TiffColors::ycbcr && !layout.apart &&
      field<uint16_t>(tiff, TIFFTAG_COMPRESSION, COMPRESSION_NONE) == COMPRESSION_JPEG) {
    TIFFSetField(tiff, TIFFTAG_JPEGCOLORMODE, JPEGCOLORMODE_RGB);  // libjpeg makes colours of it
    layout.colors = TiffColors::rgb;
    layout.used = 3;
  }
  return layout;
}

void check_row(int64_t bytes, int64_t width, const TiffLayout& layout, const EncodedImage& file) {
  const int64_t samples = width * (layout.apart ? 1 : layout.samples);
  if (bytes < (samples * layout.bits + 7) / 8)
    throw_invalid_image(file.where, "TIFF rows of " + std::to_string(bytes) + " bytes", "rows of all pixels");
}

void check_block(int64_t bytes, const EncodedImage& file) {
  if (bytes < 1) throw_invalid_image(file.where, "empty TIFF blocks", "blocks of pixels");
}

RgbImage decode_rows(TIFF* tiff, const TiffLayout& layout, const TiffMemory& memory,
                     const EncodedImage& file) {
  const int64_t bytes = TIFFScanlineSize64(tiff);
  check_row(bytes, layout.size.width, layout, file);
  check_block(bytes, file);
  std::vector<uint8_t> row(static_cast<size_t>(bytes));
  const std::array<const uint8_t*, 1> planes = {row.data()};
  RgbImage image = rowless_image(layout.size, file.where);
  for (int64_t y = 0; y < layout.size.height; ++y) {
    if (TIFFReadScanline(tiff, row.data(), static_cast<uint32_t>(y), 0) != 1) throw_fault(memory, file);
    grow_rows(image, y + 1);
    tiff_row_to_rgb(layout, planes.data(), layout.size.width, image.row(y));
  }
  return image;
}

int64_t rows_of_strip(TIFF* tiff, const TiffLayout& layout) {
  return std::clamp<int64_t>(field<uint32_t>(tiff, TIFFTAG_ROWSPERSTRIP, 0xFFFFFFFFU), 1, layout.size.height);
}

/// Tiles, or strips of all columns.
struct Blocks {
  bool tiled = false;
  ImageSize size;
  int64_t bytes = 0;      // of one block of one plane
  int64_t row_bytes = 0;  // of one of its rows
};

Blocks blocks_of(TIFF* tiff, const TiffLayout& layout, const EncodedImage& file) {
  Blocks blocks{.tiled = TIFFIsTiled(tiff) != 0};
  if (blocks.tiled) {
    blocks.size = {field<uint32_t>(tiff, TIFFTAG_TILEWIDTH, 0), field<uint32_t>(tiff, TIFFTAG_TILELENGTH, 0)};
    blocks.bytes = static_cast<int64_t>(TIFFTileSize64(tiff));
    blocks.row_bytes = static_cast<int64_t>(TIFFTileRowSize64(tiff));
  } else {
    blocks.size = {layout.size.width, rows_of_strip(tiff, layout)};
    blocks.bytes = static_cast<int64_t>(TIFFStripSize64(tiff));
    blocks.row_bytes = static_cast<int64_t>(TIFFScanlineSize64(tiff));
  }
  check_block(blocks.bytes, file);
  if (blocks.size.width < 1 || blocks.size.height < 1)
    throw_invalid_image(file.where, "empty TIFF tiles", "tiles");
  check_row(blocks.row_bytes, blocks.size.width, layout, file);
  if (blocks.row_bytes > blocks.bytes / blocks.size.height)
    throw_invalid_image(file.where, "TIFF blocks shorter than their rows", "whole blocks");
  return blocks;
}

RgbImage decode_blocks(TIFF* tiff, const TiffLayout& layout, const TiffMemory& memory,
                       const EncodedImage& file) {
  const Blocks blocks = blocks_of(tiff, layout, file);
  const int planes = layout.apart ? layout.used : 1;
  // Not zero-filled: a small file may claim large blocks.
  const auto samples = std::make_unique_for_overwrite<uint8_t[]>(static_cast<size_t>(blocks.bytes * planes));
  RgbImage image = rowless_image(layout.size, file.where);
  for (int64_t y = 0; y < layout.size.height; y += blocks.size.height) {
    for (int64_t x = 0; x < layout.size.width; x += blocks.size.width) {
      const auto left = static_cast<uint32_t>(x);
      const auto top = static_cast<uint32_t>(y);
      std::array<const uint8_t*, 4> rows{};
      for (int p = 0; p < planes; ++p) {
        uint8_t* block = samples.get() + p * blocks.bytes;
        const auto plane = static_cast<uint16_t>(p);
        const tmsize_t read =
            blocks.tiled
                ? TIFFReadEncodedTile(tiff, TIFFComputeTile(tiff, left, top, 0, plane), block, blocks.bytes)
                : TIFFReadEncodedStrip(tiff, TIFFComputeStrip(tiff, top, plane), block, blocks.bytes);
        if (read < 0) throw_fault(memory, file);
        rows[p] = block;
      }
      const int64_t columns = std::min(blocks.size.width, layout.size.width - x);
      const int64_t count = std::min(blocks.size.height, layout.size.height - y);
      grow_rows(image, y + count);
      for (int64_t i = 0; i < count; ++i) {
        tiff_row_to_rgb(layout, rows.data(), columns, image.row(y + i) + x * 3);
        for (int p = 0; p < planes; ++p) rows[p] += blocks.row_bytes;
      }
    }
  }
  return image;
}

int64_t rounded_up(int64_t length, int64_t step) { return (length + step - 1) / step * step; }

void check_tiles(TIFF* tiff, ImageSize picture, const EncodedImage& file) {
  constexpr int64_t longest = int64_t{1} << 31;  // the product of two stays in range
  const ImageSize tile{field<uint32_t>(tiff, TIFFTAG_TILEWIDTH, 0),
                       field<uint32_t>(tiff, TIFFTAG_TILELENGTH, 0)};
  if (tile.width < 1 || tile.height < 1) throw_invalid_image(file.where, "empty TIFF tiles", "tiles");
  const int64_t covered = rounded_up(picture.width, std::min(tile.width, longest)) *
                          rounded_up(picture.height, std::min(tile.height, longest));
  const int64_t most = kMostPixelsForOne * picture.width * picture.height + limits::kCanvasPixels;
  if (covered > most)
    throw Error(ErrorCode::input_too_large,
                {.where = file.where,
                 .got = "TIFF tiles of " + std::to_string(covered) + " pixels around a picture of " +
                        std::to_string(picture.width) + "x" + std::to_string(picture.height),
                 .expected = "at most " + std::to_string(most)});
}

// Blocks that lie outside the file cannot be read, and do not count.
void check_shared_bytes(TIFF* tiff, const EncodedImage& file) {
  const uint32_t blocks = TIFFIsTiled(tiff) != 0 ? TIFFNumberOfTiles(tiff) : TIFFNumberOfStrips(tiff);
  const int64_t most = kMostBytesForOne * file.size() + kSpareBytes;
  const auto size = static_cast<uint64_t>(file.size());
  int64_t bytes = 0;
  for (uint32_t i = 0; i < blocks; ++i) {
    const uint64_t offset = TIFFGetStrileOffset(tiff, i);
    const uint64_t count = TIFFGetStrileByteCount(tiff, i);
    if (offset <= size && count <= size - offset) bytes += static_cast<int64_t>(count);
    if (bytes > most)
      throw Error(ErrorCode::input_too_large, {.where = file.where,
                                               .got = "TIFF blocks that share the bytes of the file, over " +
                                                      std::to_string(most) + " in all of them",
                                               .expected = "blocks with bytes of their own"});
  }
}

// Before anything is decoded: a small file must not stand for hours of work.
void check_work(TIFF* tiff, const TiffLayout& layout, const EncodedImage& file) {
  if (TIFFIsTiled(tiff) != 0) check_tiles(tiff, layout.size, file);
  check_shared_bytes(tiff, file);
}

// What decoding holds at its peak: the picture, and rows or blocks of samples.
int64_t peak_of(TIFF* tiff, const TiffLayout& layout, const EncodedImage& file) {
  constexpr int64_t most = int64_t{1} << 40;  // far above every limit, and far from overflow
  const int64_t pixels = 3 * layout.size.width * layout.size.height;
  if (!layout.apart && TIFFIsTiled(tiff) == 0 && layout.colors != TiffColors::ycbcr)
    return pixels + std::clamp<int64_t>(TIFFScanlineSize64(tiff), 0, most);
  const Blocks blocks = blocks_of(tiff, layout, file);
  const int64_t samples = std::clamp<int64_t>(blocks.bytes, 0, most) * (layout.apart ? layout.used : 1);
  if (layout.colors != TiffColors::ycbcr) return pixels + samples;
  return pixels + samples + 4 * layout.size.width * std::min(blocks.size.height, layout.size.height);
}

struct EndRgba {
  void operator()(TIFFRGBAImage* image) const { TIFFRGBAImageEnd(image); }
};

// Subsampled colours lie in cells of several pixels, which libtiff takes apart.
RgbImage decode_ycbcr(TIFF* tiff, const TiffLayout& layout, const TiffMemory& memory,
                      const EncodedImage& file) {
  const Blocks blocks = blocks_of(tiff, layout, file);
  std::array<char, 1024> message{};
  TIFFRGBAImage reader;
  if (TIFFRGBAImageOK(tiff, message.data()) == 0 || TIFFRGBAImageBegin(&reader, tiff, 1, message.data()) == 0)
    throw_variant(file, std::string("of YCbCr: ") + message.data());
  const std::unique_ptr<TIFFRGBAImage, EndRgba> end(&reader);
  reader.orientation = ORIENTATION_TOPLEFT;
  reader.req_orientation = ORIENTATION_TOPLEFT;
  const int64_t at_once = std::min(blocks.size.height, layout.size.height);
  const auto pixels =
      std::make_unique_for_overwrite<uint32_t[]>(static_cast<size_t>(layout.size.width * at_once));
  RgbImage image = rowless_image(layout.size, file.where);
  for (int64_t y = 0; y < layout.size.height; y += at_once) {
    const int64_t count = std::min(at_once, layout.size.height - y);
    reader.row_offset = static_cast<int>(y);
    if (TIFFRGBAImageGet(&reader, pixels.get(), static_cast<uint32_t>(layout.size.width),
                         static_cast<uint32_t>(count)) == 0)
      throw_fault(memory, file);
    grow_rows(image, y + count);
    for (int64_t i = 0; i < count; ++i) {
      const auto* row = reinterpret_cast<const uint8_t*>(pixels.get() + i * layout.size.width);
      tiff_row_to_rgb(layout, &row, layout.size.width, image.row(y + i));
    }
  }
  return image;
}

}  // namespace

ImageHeader read_tiff_header(const EncodedImage& file) {
  TiffMemory memory;
  const TiffHandle tiff = open_tiff(memory, file);
  const TiffLayout layout = layout_of(tiff.get(), file);
  check_work(tiff.get(), layout, file);
  return {layout.size, orientation_of(tiff.get()), peak_of(tiff.get(), layout, file)};
}

RgbImage decode_tiff(const EncodedImage& file) {
  TiffMemory memory;
  const TiffHandle tiff = open_tiff(memory, file);
  const TiffLayout layout = layout_of(tiff.get(), file);
  if (layout.colors == TiffColors::ycbcr) return decode_ycbcr(tiff.get(), layout, memory, file);
  if (layout.apart || TIFFIsTiled(tiff.get()) != 0) return decode_blocks(tiff.get(), layout, memory, file);
  return decode_rows(tiff.get(), layout, memory, file);
}

}  // namespace galago
