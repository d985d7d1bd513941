// The frames of a WebP file through libwebp's animation decoder, which blends and disposes. In: a WebP file,
// still or animated. Out: RGB8 frames on the canvas; alpha is dropped. Reference: Pillow 12.3
// WebPImagePlugin.py and _webp.c.
#include <webp/decode.h>
#include <webp/demux.h>

#include <memory>

#include "core/limits.h"
#include "galago/error.h"
#include "image/decoders.h"

namespace galago {
namespace {

struct ReleaseDemuxer {
  void operator()(WebPDemuxer* demuxer) const { WebPDemuxDelete(demuxer); }
};
struct ReleaseDecoder {
  void operator()(WebPAnimDecoder* decoder) const { WebPAnimDecoderDelete(decoder); }
};

[[noreturn]] void throw_bad_frame(const EncodedImage& file, int64_t index) {
  throw_invalid_image(file.where, "frame " + std::to_string(index) + " is malformed", "a WebP frame");
}

// libwebp copies the canvas for every frame, however small. The first pixels are free; more must be paid for
// with bytes of the file.
void check_composed_pixels(int64_t frames, ImageSize canvas, const EncodedImage& file) {
  const int64_t most = limits::kVideoFreePixels + file.size() * limits::kVideoPixelsPerByte;
  const int64_t pixels = frames * canvas.width * canvas.height;
  if (pixels <= most) return;
  throw Error(ErrorCode::input_too_large, {.where = file.where,
                                           .got = std::to_string(pixels) + " pixels in all frames",
                                           .expected = "at most " + std::to_string(most) + " for a file of " +
                                                       std::to_string(file.size()) + " bytes"});
}

}  // namespace

Animation read_webp_animation(const EncodedImage& file) {
  const WebPData data{file.data(), file.bytes.size()};
  const std::unique_ptr<WebPDemuxer, ReleaseDemuxer> demuxer(WebPDemux(&data));
  if (demuxer == nullptr)
    throw_invalid_image(file.where, "a truncated or malformed WebP file", "a WebP image");
  Animation animation;
  animation.size = {WebPDemuxGetI(demuxer.get(), WEBP_FF_CANVAS_WIDTH),
                    WebPDemuxGetI(demuxer.get(), WEBP_FF_CANVAS_HEIGHT)};
  check_image_size(animation.size, file.where);
  check_canvas_size(animation.size, file.where);
  const int64_t frames = WebPDemuxGetI(demuxer.get(), WEBP_FF_FRAME_COUNT);
  check_animation_frames(frames, animation.size, file.where);
  check_composed_pixels(frames, animation.size, file);
  for (int64_t i = 0; i < frames; ++i) {
    WebPIterator frame;
    if (WebPDemuxGetFrame(demuxer.get(), static_cast<int>(i + 1), &frame) == 0) throw_bad_frame(file, i);
    animation.durations_ms.push_back(frame.duration);
    WebPDemuxReleaseIterator(&frame);
  }
  return animation;
}

void decode_webp_animation(const EncodedImage& file, std::span<const int64_t> wanted, const TakeFrame& take) {
  const WebPData data{file.data(), file.bytes.size()};
  const std::unique_ptr<WebPAnimDecoder, ReleaseDecoder> decoder(WebPAnimDecoderNew(&data, nullptr));
  WebPAnimInfo info;
  if (decoder == nullptr || WebPAnimDecoderGetInfo(decoder.get(), &info) == 0) throw_bad_frame(file, 0);
  RgbImage image = blank_image({info.canvas_width, info.canvas_height}, file.where);
  const int64_t count = image.width * image.height;
  auto next = wanted.begin();
  for (int64_t index = 0; next != wanted.end(); ++index) {
    uint8_t* rgba = nullptr;  // owned by the decoder
    int timestamp = 0;
    if (WebPAnimDecoderGetNext(decoder.get(), &rgba, &timestamp) == 0) throw_bad_frame(file, index);
    if (index != *next) continue;
    for (int64_t i = 0; i < count; ++i) {
      for (int64_t c = 0; c < 3; ++c) image.pixels[i * 3 + c] = rgba[i * 4 + c];
    }
    take(index, image);
    ++next;
  }
}

}  // namespace galago
