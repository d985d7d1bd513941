// One open TIFF file and what its first directory says of the samples. In: the bytes of a file. Out:
// libtiff's handle, silent and bounded, and the layout of a row. Used by tiff.cc and tiff_rows.cc alone.
// Reference: Pillow 12.3 TiffImagePlugin.py, whose table of modes says which layouts are read.
#pragma once

#include <tiffio.h>

#include <array>
#include <memory>

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

/// `count` pixels of one row as RGB8. `planes` are the row's samples: one pointer, or one for each sample of
/// a pixel when they lie apart.
void tiff_row_to_rgb(const TiffLayout& layout, const uint8_t* const* planes, int64_t count, uint8_t* out);

}  // namespace galago
