// TIFF pictures decoded. In: a TIFF or BigTIFF file. Out: RGB8 of one of its pictures. Strips of one plane
// are read row by row; tiles and planes block by block. Reference: Pillow 12.3 TiffImagePlugin.py,
// TiffDecode.c.
#include "image/tiff.h"

#include <algorithm>

#include "core/limits.h"
#include "galago/error.h"

namespace galago {
namespace {

// Blocks are decoded whole, edges beyond the picture too, and several may share bytes of the file. So many
// pixels may they have for each of the picture besides limits::kCanvasPixels, and so many bytes for each of
// the file besides kTiffSpareBytes.
constexpr int64_t kMostPixelsForOne = 4;
constexpr int64_t kMostBytesForOne = 4;

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
    if (TIFFReadScanline(tiff, row.data(), static_cast<uint32_t>(y), 0) != 1) throw_tiff_fault(memory, file);
    grow_rows(image, y + 1);
    tiff_row_to_rgb(layout, planes.data(), layout.size.width, image.row(y));
  }
  return image;
}

int64_t rows_of_strip(TIFF* tiff, const TiffLayout& layout) {
  return std::clamp<int64_t>(tiff_field<uint32_t>(tiff, TIFFTAG_ROWSPERSTRIP, 0xFFFFFFFFU), 1,
                             layout.size.height);
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
    blocks.size = {tiff_field<uint32_t>(tiff, TIFFTAG_TILEWIDTH, 0),
                   tiff_field<uint32_t>(tiff, TIFFTAG_TILELENGTH, 0)};
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
        if (read < 0) throw_tiff_fault(memory, file);
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
  const ImageSize tile{tiff_field<uint32_t>(tiff, TIFFTAG_TILEWIDTH, 0),
                       tiff_field<uint32_t>(tiff, TIFFTAG_TILELENGTH, 0)};
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
  const int64_t most = kMostBytesForOne * file.size() + kTiffSpareBytes;
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
    throw_tiff_variant(file, std::string("of YCbCr: ") + message.data());
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
      throw_tiff_fault(memory, file);
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
  const TiffLayout layout = read_tiff_layout(tiff.get(), file);
  check_work(tiff.get(), layout, file);
  return {layout.size, tiff_orientation(tiff.get()), peak_of(tiff.get(), layout, file)};
}

int64_t tiff_pages(const EncodedImage& file) {
  TiffMemory memory;
  const TiffHandle tiff = open_tiff(memory, file);
  int64_t pages = 1;
  while (TIFFReadDirectory(tiff.get()) == 1)
    if (++pages > limits::kImagePages)
      throw Error(ErrorCode::input_too_large, {.where = file.where,
                                               .got = "more pictures in a TIFF",
                                               .expected = "at most " + std::to_string(limits::kImagePages)});
  return pages;
}

RgbImage decode_tiff(const EncodedImage& file) {
  TiffMemory memory;
  const TiffHandle tiff = open_tiff(memory, file);
  const TiffLayout layout = read_tiff_layout(tiff.get(), file);
  if (layout.colors == TiffColors::ycbcr) return decode_ycbcr(tiff.get(), layout, memory, file);
  if (layout.apart || TIFFIsTiled(tiff.get()) != 0) return decode_blocks(tiff.get(), layout, memory, file);
  return decode_rows(tiff.get(), layout, memory, file);
}

}  // namespace galago
