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
  if (gif.Image.Width < frame.canvas.width || gif.Image.Height < frame.canvas.height)
    check_canvas_size(frame.canvas, where);
  return frame;
}

// The frame's pixels as numbers of colours, rows as they are stored. Memory grows with what the data give:
// the canvas is made only when they are known to be there.
std::vector<GifPixelType> read_indices(GifFileType& gif, const std::string& where) {
  const auto width = static_cast<size_t>(gif.Image.Width);
  std::vector<GifPixelType> indices;
  indices.reserve(width * static_cast<size_t>(gif.Image.Height));
  for (int y = 0; y < gif.Image.Height; ++y) {
    indices.resize(indices.size() + width);
    if (DGifGetLine(&gif, indices.data() + indices.size() - width, gif.Image.Width) == GIF_ERROR)
      throw_gif_fault(gif.Error, where);
  }
  return indices;
}

}  // namespace

ImageHeader read_gif_header(const EncodedImage& file) {
  GifSource source{&file};
  const GifFile gif = open_gif(source);
  const ImageSize canvas = find_first_frame(*gif, source).canvas;
  const int64_t indices = int64_t{gif->Image.Width} * gif->Image.Height;
  return {.size = canvas, .memory = 3 * canvas.width * canvas.height + indices};
}

RgbImage decode_gif(const EncodedImage& file) {
  GifSource source{&file};
  const GifFile gif = open_gif(source);
  const FirstFrame frame = find_first_frame(*gif, source);
  const GifImageDesc& place = gif->Image;
  const GifPalette palette = gif_palette(*gif);
  const std::vector<GifPixelType> indices = read_indices(*gif, file.where);
  RgbImage image = blank_image(frame.canvas, file.where);
  const uint8_t* around = palette.of(frame.control.transparent.value_or(0));
  const int64_t count = image.width * image.height;
  for (int64_t i = 0; i < count; ++i) std::memcpy(image.pixels.data() + i * 3, around, 3);

  const GifPixelType* line = indices.data();
  for (const int64_t y : gif_row_order(place)) {
    uint8_t* row = image.row(place.Top + y) + static_cast<int64_t>(place.Left) * 3;
    for (int64_t x = 0; x < place.Width; ++x) std::memcpy(row + x * 3, palette.of(line[x]), 3);
    line += place.Width;
  }
  return image;
}

}  // namespace galago
