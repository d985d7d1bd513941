// GIF through giflib. In: a GIF file. Out: RGB8 of the first frame on its canvas, which grows when the frame
// reaches beyond it; around the frame lies the transparent colour, or colour 0. Transparency itself is
// dropped. Reference: Pillow 12.3 GifImagePlugin.py (first frame only).
#include <gif_lib.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <memory>
#include <vector>

#include "image/decoders.h"

namespace galago {
namespace {

constexpr int kNoTransparency = -1;
constexpr int kTransparencyFlag = 1;
using Palette = std::array<uint8_t, 256 * 3>;

/// The file as giflib reads it.
struct Source {
  const EncodedImage* file = nullptr;
  int64_t offset = 0;
};

int on_read(GifFileType* gif, GifByteType* out, int bytes) {
  auto* source = static_cast<Source*>(gif->UserData);
  const int64_t count = std::min<int64_t>(bytes, source->file->size() - source->offset);
  std::memcpy(out, source->file->data() + source->offset, count);
  source->offset += count;
  return static_cast<int>(count);
}

struct CloseGif {
  void operator()(GifFileType* gif) const { DGifCloseFile(gif, nullptr); }
};
using GifFile = std::unique_ptr<GifFileType, CloseGif>;

[[noreturn]] void throw_fault(int code, const std::string& where) {
  const char* message = GifErrorString(code);
  throw_invalid_image(where,
                      std::string("giflib: ") + (message != nullptr ? message : "a malformed GIF file"),
                      "a GIF image");
}

GifFile open(Source& source) {
  int code = 0;
  GifFile gif(DGifOpen(&source, on_read, &code));
  if (gif == nullptr) throw_fault(code, source.file->where);
  return gif;
}

/// The first frame's place and its transparent colour; the file stands before its pixels.
struct Frame {
  ImageSize canvas;
  GifImageDesc place{};
  int transparent = kNoTransparency;
};

// Reads one extension block; the graphic control extension may name the transparent colour.
void read_extension(GifFileType& gif, const std::string& where, int& transparent) {
  int code = 0;
  GifByteType* block = nullptr;  // its first byte is its length
  if (DGifGetExtension(&gif, &code, &block) == GIF_ERROR) throw_fault(gif.Error, where);
  if (code == GRAPHICS_EXT_FUNC_CODE && block != nullptr && block[0] >= 4 &&
      (block[1] & kTransparencyFlag) != 0) {
    transparent = block[4];
  }
  while (block != nullptr) {
    if (DGifGetExtensionNext(&gif, &block) == GIF_ERROR) throw_fault(gif.Error, where);
  }
}

Frame find_first_frame(GifFileType& gif, const std::string& where) {
  Frame frame;
  for (;;) {
    GifRecordType record = UNDEFINED_RECORD_TYPE;
    if (DGifGetRecordType(&gif, &record) == GIF_ERROR) throw_fault(gif.Error, where);
    if (record == TERMINATE_RECORD_TYPE)
      throw_invalid_image(where, "a GIF file without a frame", "a GIF image");
    if (record == EXTENSION_RECORD_TYPE) read_extension(gif, where, frame.transparent);
    if (record == IMAGE_DESC_RECORD_TYPE) break;
  }
  if (DGifGetImageDesc(&gif) == GIF_ERROR) throw_fault(gif.Error, where);
  frame.place = gif.Image;
  check_image_size({frame.place.Width, frame.place.Height}, where);
  frame.canvas = {std::max(gif.SWidth, frame.place.Left + frame.place.Width),
                  std::max(gif.SHeight, frame.place.Top + frame.place.Height)};
  check_image_size(frame.canvas, where);
  return frame;
}

Palette gray_ramp() {
  Palette ramp{};
  for (int i = 0; i < 256; ++i) std::memset(ramp.data() + i * 3, i, 3);
  return ramp;
}

// The frame's own colours, else the file's; entries that are missing are black. A palette that is the ramp
// 0, 1, 2, ... means gray, also beyond its end; so does having none.
Palette palette_of(const GifFileType& gif) {
  const ColorMapObject* map = gif.Image.ColorMap != nullptr ? gif.Image.ColorMap : gif.SColorMap;
  const Palette ramp = gray_ramp();
  if (map == nullptr) return ramp;
  Palette palette{};
  const int count = std::min(map->ColorCount, 256);
  for (int i = 0; i < count; ++i) {
    palette[i * 3] = map->Colors[i].Red;
    palette[i * 3 + 1] = map->Colors[i].Green;
    palette[i * 3 + 2] = map->Colors[i].Blue;
  }
  return std::equal(palette.begin(), palette.begin() + count * 3, ramp.begin()) ? ramp : palette;
}

// The rows of an interlaced frame come in four passes.
std::vector<int64_t> row_order(const GifImageDesc& place) {
  std::vector<int64_t> order;
  order.reserve(place.Height);
  if (!place.Interlace) {
    for (int64_t y = 0; y < place.Height; ++y) order.push_back(y);
    return order;
  }
  constexpr std::array<std::array<int64_t, 2>, 4> passes = {{{0, 8}, {4, 8}, {2, 4}, {1, 2}}};
  for (const auto& [first, step] : passes) {
    for (int64_t y = first; y < place.Height; y += step) order.push_back(y);
  }
  return order;
}

}  // namespace

ImageHeader read_gif_header(const EncodedImage& file) {
  Source source{&file};
  const GifFile gif = open(source);
  return {find_first_frame(*gif, file.where).canvas};
}

RgbImage decode_gif(const EncodedImage& file) {
  Source source{&file};
  const GifFile gif = open(source);
  const Frame frame = find_first_frame(*gif, file.where);
  const Palette palette = palette_of(*gif);
  RgbImage image = blank_image(frame.canvas, file.where);
  const int64_t around = frame.transparent == kNoTransparency ? 0 : frame.transparent;
  const int64_t count = image.width * image.height;
  for (int64_t i = 0; i < count; ++i)
    std::memcpy(image.pixels.data() + i * 3, palette.data() + around * 3, 3);

  std::vector<GifPixelType> line(frame.place.Width);
  for (const int64_t y : row_order(frame.place)) {
    if (DGifGetLine(gif.get(), line.data(), frame.place.Width) == GIF_ERROR)
      throw_fault(gif->Error, file.where);
    uint8_t* row = image.row(frame.place.Top + y) + static_cast<int64_t>(frame.place.Left) * 3;
    for (int64_t x = 0; x < frame.place.Width; ++x) std::memcpy(row + x * 3, palette.data() + line[x] * 3, 3);
  }
  return image;
}

}  // namespace galago
