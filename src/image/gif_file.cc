// giflib's reader over a file in memory; every fault becomes galago::Error.
#include "image/gif_file.h"

#include <algorithm>
#include <cstring>

namespace galago {
namespace {

constexpr int kTransparencyFlag = 1;
constexpr int kDisposalShift = 2;
constexpr int kDisposalMask = 7;
constexpr int64_t kMillisecondsPerTick = 10;

int on_read(GifFileType* gif, GifByteType* out, int bytes) {
  auto* source = static_cast<GifSource*>(gif->UserData);
  const int64_t count = std::min<int64_t>(bytes, source->file->size() - source->offset);
  std::memcpy(out, source->file->data() + source->offset, count);
  source->offset += count;
  return static_cast<int>(count);
}

// Reads one extension block; only the graphic control extension matters.
void read_extension(GifFileType& gif, const std::string& where, GifControl& control) {
  int code = 0;
  GifByteType* block = nullptr;  // its first byte is its length
  if (DGifGetExtension(&gif, &code, &block) == GIF_ERROR) throw_gif_fault(gif.Error, where);
  if (code == GRAPHICS_EXT_FUNC_CODE && block != nullptr && block[0] >= 4) {
    if ((block[1] & kTransparencyFlag) != 0) control.transparent = block[4];
    control.disposal = (block[1] >> kDisposalShift) & kDisposalMask;
    control.duration_ms = (block[2] + 256 * block[3]) * kMillisecondsPerTick;
  }
  while (block != nullptr) {
    if (DGifGetExtensionNext(&gif, &block) == GIF_ERROR) throw_gif_fault(gif.Error, where);
  }
}

}  // namespace

void throw_gif_fault(int code, const std::string& where) {
  const char* message = GifErrorString(code);
  throw_invalid_image(where,
                      std::string("giflib: ") + (message != nullptr ? message : "a malformed GIF file"),
                      "a GIF image");
}

GifFile open_gif(GifSource& source) {
  int code = 0;
  GifFile gif(DGifOpen(&source, on_read, &code));
  if (gif == nullptr) throw_gif_fault(code, source.file->where);
  return gif;
}

bool next_gif_frame(GifFileType& gif, const GifSource& source, GifControl& control) {
  const std::string& where = source.file->where;
  for (;;) {
    // A file without its trailer ends with its last frame: images are shown all the same.
    if (gif.ImageCount > 0 && source.offset == source.file->size()) return false;
    GifRecordType record = UNDEFINED_RECORD_TYPE;
    if (DGifGetRecordType(&gif, &record) == GIF_ERROR) throw_gif_fault(gif.Error, where);
    if (record == TERMINATE_RECORD_TYPE) return false;
    if (record == EXTENSION_RECORD_TYPE) read_extension(gif, where, control);
    if (record == IMAGE_DESC_RECORD_TYPE) break;
  }
  // giflib would keep a record of every frame, in an array that it copies for each.
  GifFreeSavedImages(&gif);
  gif.ImageCount = 0;
  if (DGifGetImageDesc(&gif) == GIF_ERROR) throw_gif_fault(gif.Error, where);
  check_image_size({gif.Image.Width, gif.Image.Height}, where);
  return true;
}

std::vector<int64_t> gif_row_order(const GifImageDesc& place) {
  std::vector<int64_t> order;
  order.reserve(place.Height);
  if (!place.Interlace) {
    for (int64_t y = 0; y < place.Height; ++y) order.push_back(y);
    return order;
  }
  // The rows of an interlaced frame come in four passes.
  constexpr std::array<std::array<int64_t, 2>, 4> passes = {{{0, 8}, {4, 8}, {2, 4}, {1, 2}}};
  for (const auto& [first, step] : passes) {
    for (int64_t y = first; y < place.Height; y += step) order.push_back(y);
  }
  return order;
}

GifPalette gif_palette(const GifFileType& gif) {
  const ColorMapObject* map = gif.Image.ColorMap != nullptr ? gif.Image.ColorMap : gif.SColorMap;
  GifPalette ramp{.colours = {}, .count = 256, .gray = true};
  for (int i = 0; i < 256; ++i) std::memset(ramp.colours.data() + i * 3, i, 3);
  if (map == nullptr) return ramp;
  GifPalette palette{.colours = {}, .count = std::min(map->ColorCount, 256), .gray = false};
  for (int i = 0; i < palette.count; ++i) {
    palette.colours[i * 3] = map->Colors[i].Red;
    palette.colours[i * 3 + 1] = map->Colors[i].Green;
    palette.colours[i * 3 + 2] = map->Colors[i].Blue;
  }
  const auto end = palette.colours.begin() + static_cast<int64_t>(palette.count) * 3;
  return std::equal(palette.colours.begin(), end, ramp.colours.begin()) ? ramp : palette;
}

}  // namespace galago
