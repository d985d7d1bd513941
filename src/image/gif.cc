// GIF through giflib. In: a GIF file. Out: RGB8 of the first frame on its canvas, which grows when the frame
// reaches beyond it; around the frame lies the transparent colour, or colour 0. Transparency itself is
// dropped. Reference: Pillow 12.3 GifImagePlugin.py (first frame only; gif_animation.cc has the others).
#include <algorithm>
#include <cstring>
#include <vector>

#include "image/decoders.h"
#include "image/gif_file.h"

namespace galago {
namespace {

/// The first frame's canvas and its transparent colour; the file stands before its pixels.
struct FirstFrame {
  ImageSize canvas;
  GifControl control;
};

FirstFrame find_first_frame(GifFileType& gif, const GifSource& source) {
  const std::string& where = source.file->where;
  FirstFrame frame;
  if (!next_gif_frame(gif, source, frame.control))
    throw_invalid_image(where, "a GIF file without a frame", "a GIF image");
  frame.canvas = {std::max(gif.SWidth, gif.Image.Left + gif.Image.Width),
                  std::max(gif.SHeight, gif.Image.Top + gif.Image.Height)};
  check_image_size(frame.canvas, where);
  return frame;
}

}  // namespace

ImageHeader read_gif_header(const EncodedImage& file) {
  GifSource source{&file};
  const GifFile gif = open_gif(source);
  return {find_first_frame(*gif, source).canvas};
}

RgbImage decode_gif(const EncodedImage& file) {
  GifSource source{&file};
  const GifFile gif = open_gif(source);
  const FirstFrame frame = find_first_frame(*gif, source);
  const GifImageDesc& place = gif->Image;
  const GifPalette palette = gif_palette(*gif);
  RgbImage image = blank_image(frame.canvas, file.where);
  const uint8_t* around = palette.of(frame.control.transparent.value_or(0));
  const int64_t count = image.width * image.height;
  for (int64_t i = 0; i < count; ++i) std::memcpy(image.pixels.data() + i * 3, around, 3);

  std::vector<GifPixelType> line(place.Width);
  for (const int64_t y : gif_row_order(place)) {
    if (DGifGetLine(gif.get(), line.data(), place.Width) == GIF_ERROR)
      throw_gif_fault(gif->Error, file.where);
    uint8_t* row = image.row(place.Top + y) + static_cast<int64_t>(place.Left) * 3;
    for (int64_t x = 0; x < place.Width; ++x) std::memcpy(row + x * 3, palette.of(line[x]), 3);
  }
  return image;
}

}  // namespace galago
