// Animated GIF and WebP files as videos. In: the bytes of one file. Out: how long each frame stays, and the
// wanted frames as RGB8 on the canvas, composed as Pillow's ImageSequence with convert("RGB") gives them:
// disposal and transparency count, the number of loops does not. Reference: Pillow 12.3 GifImagePlugin.py,
// WebPImagePlugin.py; libwebp's WebPAnimDecoder.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <vector>

#include "image/image.h"

namespace galago {

/// What an animation says before its pixels are decoded.
struct Animation {
  ImageSize size;                     ///< the canvas; of a GIF whose canvas grows, the last one
  std::vector<int64_t> durations_ms;  ///< of each frame, as the file says; 0: not said
};

/// Called with each wanted frame; the picture is overwritten after the call.
using TakeFrame = std::function<void(int64_t index, const RgbImage& frame)>;

/// Reads the structure alone; a file with one picture is an animation of one frame. Errors: input_invalid
/// (malformed, no frame), input_too_large (limits::kImage*, kVideoFrames, kVideoPixels, kVideoMilliseconds;
/// before any pixel is allocated), unsupported_media (neither GIF nor WebP).
Animation read_animation(std::span<const std::byte> bytes, const std::string& where);

/// Decodes in order and hands out the frames whose indices are in `wanted` (ascending). The same errors.
void decode_animation(std::span<const std::byte> bytes, const std::string& where,
                      std::span<const int64_t> wanted, const TakeFrame& take);

}  // namespace galago
