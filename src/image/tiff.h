// One open TIFF file and what one of its directories says of the samples. In: the bytes of a file. Out:
// libtiff's handle, silent and bounded, and the layout of a row. Used by tiff*.cc alone.
// Reference: Pillow 12.3 TiffImagePlugin.py, whose table of modes says which layouts are read.
#pragma once

#include <tiffio.h>

#include <array>
#include <memory>
#include <string>

#include "image/decoders.h"

namespace galago {

/// How the samples of a row become colours.
enum class TiffColors { gray, gray_unscaled, palette, rgb, cmyk, ycbcr };

struct TiffLayout {
  ImageSize size;
  TiffColors colors = TiffColors::gray;
  int bits = 1;        ///< of one sample: 1, 2, 4, 8, 12, 16 or 32
  int form = 1;        ///< SampleFormat: 1 unsigned, 2 signed, 3 float
  int samples = 1;     ///< of one pixel, those included that are dropped
  int used = 1;        ///< of them, the first ones, that make its colour
  bool apart = false;  ///< each sample has rows of its own
  bool white_is_zero = false;
  bool premultiplied = false;  ///< the fourth sample is alpha that the others have been multiplied by
  std::array<uint8_t, 256 * 3> palette{};
};

/// A file for libtiff to read in place, and the first fault that it reported.
struct TiffMemory {
  const uint8_t* data = nullptr;
  uint64_t size = 0;
  uint64_t at = 0;
  std::array<char, 160> fault{};
};

struct CloseTiff {
  void operator()(TIFF* tiff) const { TIFFClose(tiff); }
};
using TiffHandle = std::unique_ptr<TIFF, CloseTiff>;

/// Bytes that a file may make libtiff hold besides its pixels.
inline constexpr int64_t kTiffSpareBytes = 64 << 20;

/// The file behind a handle that reports into `memory`, which outlives it. Error{input_invalid}.
TiffHandle open_tiff(TiffMemory& memory, const EncodedImage& file);
/// A field of the directory, its default where the format has one, or `otherwise`.
template <typename Value>
Value tiff_field(TIFF* tiff, uint32_t tag, Value otherwise) {
  Value value = otherwise;
  return TIFFGetFieldDefaulted(tiff, tag, &value) == 1 ? value : otherwise;
}
/// What the directory says of the samples. Error{input_invalid}, Error{input_too_large}, or
/// Error{unsupported_media} for what Pillow does not read either.
TiffLayout read_tiff_layout(TIFF* tiff, const EncodedImage& file);
/// 1 to 8, of the tag or of XMP; 1 without.
int tiff_orientation(TIFF* tiff);
/// Error{input_invalid} with the fault that libtiff reported.
[[noreturn]] void throw_tiff_fault(const TiffMemory& memory, const EncodedImage& file);
/// Error{unsupported_media}: "a TIFF " and `what`.
[[noreturn]] void throw_tiff_variant(const EncodedImage& file, const std::string& what);

/// `count` pixels of one row as RGB8. `planes` are the row's samples: one pointer, or one for each sample of
/// a pixel when they lie apart.
void tiff_row_to_rgb(const TiffLayout& layout, const uint8_t* const* planes, int64_t count, uint8_t* out);

}  // namespace galago
