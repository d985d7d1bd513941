// What reading one GIF frame and reading all of them share: the file behind giflib, extension blocks,
// palettes, row order. Used by gif.cc and gif_animation.cc alone. Reference: GIF89a, Pillow 12.3
// GifImagePlugin.py.
#pragma once

#include <gif_lib.h>

#include <array>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "image/decoders.h"

namespace galago {

/// The file as giflib reads it.
struct GifSource {
  const EncodedImage* file = nullptr;
  int64_t offset = 0;
};

struct CloseGif {
  void operator()(GifFileType* gif) const { DGifCloseFile(gif, nullptr); }
};
using GifFile = std::unique_ptr<GifFileType, CloseGif>;

/// Opens the file; `source` must outlive the result. Error{input_invalid}, as all below.
GifFile open_gif(GifSource& source);
[[noreturn]] void throw_gif_fault(int code, const std::string& where);

/// What the blocks before a frame say about it.
struct GifControl {
  std::optional<int> transparent;  ///< the colour that is not drawn
  int disposal = 0;                ///< what becomes of the frame when its time is over; 0: not said
  int64_t duration_ms = 0;
};

/// Reads blocks up to the next frame's descriptor, which is checked and left in gif.Image; false at the end
/// of the file. A file that ends after a frame without a trailer is at its end too.
bool next_gif_frame(GifFileType& gif, const GifSource& source, GifControl& control);
/// The frame's rows in the order in which they are stored.
std::vector<int64_t> gif_row_order(const GifImageDesc& place);

/// A frame's colours, RGB after RGB; entries that are missing are black.
struct GifPalette {
  std::array<uint8_t, 256 * 3> colours{};
  int count = 256;
  bool gray = false;  ///< none is given, or it is the ramp 0, 1, 2, ...: gray, also beyond its end

  const uint8_t* of(int index) const { return colours.data() + index * 3; }
};
/// The frame's own palette, else the file's.
GifPalette gif_palette(const GifFileType& gif);

}  // namespace galago
