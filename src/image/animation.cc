// Which reader an animation goes to, and the limits that hold for both.
#include "image/animation.h"

#include <algorithm>
#include <new>
#include <numeric>

#include "core/limits.h"
#include "galago/error.h"
#include "image/decoders.h"

namespace galago {
namespace {

[[noreturn]] void throw_too_large(const std::string& where, const std::string& got, int64_t most,
                                  const char* unit) {
  throw Error(ErrorCode::input_too_large, {.where = where,
                                           .got = got,
                                           .expected = "at most " + std::to_string(most) + " " + unit,
                                           .hint = "cut a shorter part, or fewer frames a second"});
}

void check_file(const EncodedImage& file) {
  if (file.size() == 0) throw_invalid_image(file.where, "an empty file", "an animated GIF or WebP file");
  if (file.size() > limits::kImageBytes)
    throw_too_large(file.where, std::to_string(file.size()) + " bytes", limits::kImageBytes, "bytes");
  if (is_gif(file) || is_webp(file)) return;
  throw Error(ErrorCode::unsupported_media,
              {.where = file.where,
               .got = recognise_format(file.bytes),
               .expected = "an animated GIF or WebP file, or a folder of pictures",
               .hint = "cut the video into pictures first, for example: mkdir frames && ffmpeg -i VIDEO -vf "
                       "fps=2 frames/%05d.png; then --video frames --fps 2"});
}

}  // namespace

void check_animation_frames(int64_t frames, ImageSize canvas, const std::string& where) {
  if (frames > limits::kVideoFrames) throw_too_large(where, "more frames", limits::kVideoFrames, "frames");
  if (frames * canvas.width * canvas.height > limits::kVideoPixels)  // at most 1e5 * 1.8e8
    throw_too_large(where,
                    std::to_string(frames) + " frames of " + std::to_string(canvas.width) + "x" +
                        std::to_string(canvas.height) + " pixels",
                    limits::kVideoPixels, "pixels in all frames");
}

Animation read_animation(std::span<const std::byte> bytes, const std::string& where) {
  const EncodedImage file{bytes, where};
  check_file(file);
  Animation animation = is_gif(file) ? read_gif_animation(file) : read_webp_animation(file);
  if (animation.durations_ms.empty()) throw_invalid_image(where, "no frame", "at least one frame");
  const int64_t length =
      std::accumulate(animation.durations_ms.begin(), animation.durations_ms.end(), int64_t{0});
  if (length > limits::kVideoMilliseconds)
    throw_too_large(where, "a length of " + std::to_string(length) + " ms", limits::kVideoMilliseconds, "ms");
  return animation;
}

void decode_animation(std::span<const std::byte> bytes, const std::string& where,
                      std::span<const int64_t> wanted, const TakeFrame& take) {
  const EncodedImage file{bytes, where};
  const Animation animation = read_animation(bytes, where);
  const auto frames = static_cast<int64_t>(animation.durations_ms.size());
  if (wanted.empty()) return;
  if (!std::is_sorted(wanted.begin(), wanted.end()) || wanted.front() < 0 || wanted.back() >= frames)
    throw Error(ErrorCode::internal, {.where = "decode_animation",
                                      .got = "frames that " + where + " lacks",
                                      .expected = "ascending indices"});
  try {
    (is_gif(file) ? decode_gif_animation : decode_webp_animation)(file, wanted, take);
  } catch (const std::bad_alloc&) {
    throw Error(ErrorCode::resource, {.where = where, .got = "no memory to decode the animation"});
  }
}

}  // namespace galago
