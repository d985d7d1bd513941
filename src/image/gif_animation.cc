// The frames of a GIF file, drawn one over the other. In: a GIF file. Out: RGB8 frames on the canvas, which
// starts as the screen and grows with frames that reach beyond it. The rules are Pillow's, its habits
// included: a frame that does not say how it is disposed of is disposed of like the one before it. One habit
// is not followed: after a gray first frame Pillow loses the colours of later ones; here they are drawn.
// Reference: GIF89a; Pillow 12.3 GifImagePlugin.py.
#include <algorithm>
#include <cstring>
#include <vector>

#include "image/decoders.h"
#include "image/gif_file.h"

namespace galago {
namespace {

constexpr int kToBackground = 2;  // disposal; beyond it: what was there before

struct Colour {
  uint8_t rgb[3] = {0, 0, 0};
};
Colour colour_of(const uint8_t* rgb) { return {{rgb[0], rgb[1], rgb[2]}}; }

void fill(RgbImage& image, const GifImageDesc& place, Colour colour) {
  for (int64_t y = place.Top; y < place.Top + place.Height; ++y) {
    uint8_t* row = image.row(y) + static_cast<int64_t>(place.Left) * 3;
    for (int64_t x = 0; x < place.Width; ++x) std::memcpy(row + x * 3, colour.rgb, 3);
  }
}

/// The canvas between frames.
class Canvas {
 public:
  Canvas(const GifFileType& gif, const EncodedImage& file) : file_(file) {
    image_ = blank_image({gif.SWidth, gif.SHeight}, file.where);
    if (gif.SColorMap != nullptr) background_ = gif.SBackGroundColor;
  }

  const RgbImage& image() const { return image_; }

  /// Draws the frame at which `gif` stands.
  void draw(GifFileType& gif, const GifControl& control) {
    const GifImageDesc place = gif.Image;
    const GifPalette palette = gif_palette(gif);
    restore();
    if (started_ && !gray_) first_transparent_.reset();
    if (control.disposal != 0) disposal_ = control.disposal;
    remember(place, palette, control.transparent);
    if (!started_) {
      begin(place, palette, control.transparent);
    } else {
      const bool black = palette.gray || control.transparent.has_value();
      grow(place, black ? Colour{} : colour_of(palette.of(0)));
    }
    paint(gif, place, palette, started_ ? control.transparent.value_or(-1) : -1);
    started_ = true;
  }

 private:
  // Undoes the last frame as its disposal asks.
  void restore() {
    if (saved_.empty()) return;
    const int64_t bytes = static_cast<int64_t>(saved_place_.Width) * 3;
    for (int64_t y = 0; y < saved_place_.Height; ++y) {
      std::memcpy(image_.row(saved_place_.Top + y) + static_cast<int64_t>(saved_place_.Left) * 3,
                  saved_.data() + y * bytes, bytes);
    }
  }

  // What will stand at the frame's place when its time is over.
  void remember(const GifImageDesc& place, const GifPalette& palette, std::optional<int> transparent) {
    saved_.clear();
    saved_place_ = place;
    if (disposal_ < kToBackground) return;
    if (disposal_ == kToBackground) {
      const auto clear = first_transparent_ ? first_transparent_ : transparent;
      save_colour(palette, clear.value_or(background_));
    } else if (started_) {
      save_canvas(place);
    } else if (transparent) {
      save_colour(palette, *transparent);
    }
  }

  void save_colour(const GifPalette& palette, int index) {
    if (started_ && index >= palette.count) index = 0;
    RgbImage patch = blank_image({saved_place_.Width, saved_place_.Height}, file_.where);
    const GifImageDesc all{.Left = 0, .Top = 0, .Width = saved_place_.Width, .Height = saved_place_.Height};
    fill(patch, all, colour_of(palette.of(index)));
    saved_ = std::move(patch.pixels);
  }

  // Where the canvas does not reach yet it is black.
  void save_canvas(const GifImageDesc& place) {
    RgbImage patch = blank_image({place.Width, place.Height}, file_.where);
    const int64_t width = std::min<int64_t>(place.Width, image_.width - place.Left);
    for (int64_t y = 0; y < place.Height && place.Top + y < image_.height && width > 0; ++y)
      std::memcpy(patch.row(y), image_.row(place.Top + y) + static_cast<int64_t>(place.Left) * 3, width * 3);
    saved_ = std::move(patch.pixels);
  }

  // The first frame decides the mode and what lies around it.
  void begin(const GifImageDesc& place, const GifPalette& palette, std::optional<int> transparent) {
    gray_ = palette.gray;
    first_transparent_ = transparent;
    grow(place, {});
    const GifImageDesc all{.Left = 0,
                           .Top = 0,
                           .Width = static_cast<GifWord>(image_.width),
                           .Height = static_cast<GifWord>(image_.height)};
    fill(image_, all, colour_of(palette.of(transparent.value_or(0))));
  }

  void grow(const GifImageDesc& place, Colour around) {
    const int64_t width = std::max<int64_t>(image_.width, place.Left + place.Width);
    const int64_t height = std::max<int64_t>(image_.height, place.Top + place.Height);
    if (width == image_.width && height == image_.height) return;
    RgbImage larger = blank_image({width, height}, file_.where);
    const GifImageDesc all{
        .Left = 0, .Top = 0, .Width = static_cast<GifWord>(width), .Height = static_cast<GifWord>(height)};
    fill(larger, all, around);
    const auto bytes = static_cast<std::ptrdiff_t>(image_.width * 3);
    for (int64_t y = 0; y < image_.height; ++y) std::copy_n(image_.row(y), bytes, larger.row(y));
    image_ = std::move(larger);
  }

  void paint(GifFileType& gif, const GifImageDesc& place, const GifPalette& palette, int transparent) {
    line_.resize(place.Width);
    for (const int64_t y : gif_row_order(place)) {
      if (DGifGetLine(&gif, line_.data(), place.Width) == GIF_ERROR) throw_gif_fault(gif.Error, file_.where);
      uint8_t* row = image_.row(place.Top + y) + static_cast<int64_t>(place.Left) * 3;
      for (int64_t x = 0; x < place.Width; ++x)
        if (line_[x] != transparent) std::memcpy(row + x * 3, palette.of(line_[x]), 3);
    }
  }

  const EncodedImage& file_;
  RgbImage image_;
  bool started_ = false;
  bool gray_ = false;  // the first frame has no colours
  int background_ = 0;
  int disposal_ = 0;
  std::optional<int> first_transparent_;  // forgotten with the second frame, unless the canvas is gray
  std::vector<uint8_t> saved_;
  GifImageDesc saved_place_{};
  std::vector<GifPixelType> line_;
};

// Reads a frame's pixels and forgets them.
void skip_pixels(GifFileType& gif, const std::string& where) {
  int code_size = 0;
  GifByteType* block = nullptr;
  if (DGifGetCode(&gif, &code_size, &block) == GIF_ERROR) throw_gif_fault(gif.Error, where);
  while (block != nullptr) {
    if (DGifGetCodeNext(&gif, &block) == GIF_ERROR) throw_gif_fault(gif.Error, where);
  }
}

}  // namespace

Animation read_gif_animation(const EncodedImage& file) {
  GifSource source{&file};
  const GifFile gif = open_gif(source);
  Animation animation{.size = {gif->SWidth, gif->SHeight}, .durations_ms = {}};
  for (GifControl control; next_gif_frame(*gif, source, control); control = {}) {
    const GifImageDesc& place = gif->Image;
    animation.size.width = std::max<int64_t>(animation.size.width, place.Left + place.Width);
    animation.size.height = std::max<int64_t>(animation.size.height, place.Top + place.Height);
    check_image_size(animation.size, file.where);
    check_canvas_size(animation.size, file.where);
    animation.durations_ms.push_back(control.duration_ms);
    check_animation_frames(static_cast<int64_t>(animation.durations_ms.size()), animation.size, file.where);
    skip_pixels(*gif, file.where);
  }
  return animation;
}

void decode_gif_animation(const EncodedImage& file, std::span<const int64_t> wanted, const TakeFrame& take) {
  GifSource source{&file};
  const GifFile gif = open_gif(source);
  Canvas canvas(*gif, file);
  auto next = wanted.begin();
  for (int64_t index = 0; next != wanted.end(); ++index) {
    GifControl control;
    if (!next_gif_frame(*gif, source, control))
      throw_invalid_image(file.where, "frame " + std::to_string(index) + " is missing", "a GIF frame");
    canvas.draw(*gif, control);
    if (index != *next) continue;
    take(index, canvas.image());
    ++next;
  }
}

}  // namespace galago
