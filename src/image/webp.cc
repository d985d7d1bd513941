// WebP through libwebp. In: a WebP file, still or animated. Out: RGB8 of the first frame on its canvas; alpha
// is dropped. A still picture without alpha is decoded straight to RGB; others by the animation decoder,
// which Pillow uses for all and which holds two canvases of RGBA. Reference: Pillow 12.3 WebPImagePlugin.py,
// _webp.c.
#include <webp/decode.h>
#include <webp/demux.h>

#include <memory>
#include <string_view>

#include "image/decoders.h"
#include "image/orientation.h"

namespace galago {
namespace {

struct ReleaseDemuxer {
  void operator()(WebPDemuxer* demuxer) const { WebPDemuxDelete(demuxer); }
};
struct ReleaseDecoder {
  void operator()(WebPAnimDecoder* decoder) const { WebPAnimDecoderDelete(decoder); }
};

std::string_view chunk(const WebPDemuxer* demuxer, const char* name) {
  WebPChunkIterator found;
  if (WebPDemuxGetChunk(demuxer, name, 1, &found) == 0) return {};
  const std::string_view data(reinterpret_cast<const char*>(found.chunk.bytes), found.chunk.size);
  WebPDemuxReleaseChunkIterator(&found);  // the bytes belong to the file
  return data;
}

[[noreturn]] void throw_malformed(const EncodedImage& file) {
  throw_invalid_image(file.where, "a malformed WebP frame", "a WebP image");
}

// The frame's data when the file is one opaque frame that fills the canvas; else nothing.
std::span<const uint8_t> opaque_picture(const WebPDemuxer* demuxer) {
  WebPIterator frame;
  if (WebPDemuxGetFrame(demuxer, 1, &frame) == 0) return {};
  const bool fills = frame.x_offset == 0 && frame.y_offset == 0 &&
                     frame.width == static_cast<int>(WebPDemuxGetI(demuxer, WEBP_FF_CANVAS_WIDTH)) &&
                     frame.height == static_cast<int>(WebPDemuxGetI(demuxer, WEBP_FF_CANVAS_HEIGHT));
  const bool plain = fills && frame.num_frames == 1 && frame.has_alpha == 0;
  const std::span<const uint8_t> data(frame.fragment.bytes, frame.fragment.size);
  WebPDemuxReleaseIterator(&frame);  // the bytes belong to the file
  return plain ? data : std::span<const uint8_t>();
}

RgbImage decode_first_frame(const EncodedImage& file) {
  const WebPData data{file.data(), file.bytes.size()};
  const std::unique_ptr<WebPAnimDecoder, ReleaseDecoder> decoder(WebPAnimDecoderNew(&data, nullptr));
  WebPAnimInfo info;
  uint8_t* rgba = nullptr;  // owned by the decoder
  int timestamp = 0;
  if (decoder == nullptr || WebPAnimDecoderGetInfo(decoder.get(), &info) == 0 ||
      WebPAnimDecoderGetNext(decoder.get(), &rgba, &timestamp) == 0)
    throw_malformed(file);
  RgbImage image = blank_image({info.canvas_width, info.canvas_height}, file.where);
  const int64_t count = image.width * image.height;
  for (int64_t i = 0; i < count; ++i) {
    for (int64_t c = 0; c < 3; ++c) image.pixels[i * 3 + c] = rgba[i * 4 + c];
  }
  return image;
}

}  // namespace

ImageHeader read_webp_header(const EncodedImage& file) {
  const WebPData data{file.data(), file.bytes.size()};
  const std::unique_ptr<WebPDemuxer, ReleaseDemuxer> demuxer(WebPDemux(&data));
  if (demuxer == nullptr) {
    throw_invalid_image(file.where, "a truncated or malformed WebP file", "a WebP image");
  }
  const ImageSize size{WebPDemuxGetI(demuxer.get(), WEBP_FF_CANVAS_WIDTH),
                       WebPDemuxGetI(demuxer.get(), WEBP_FF_CANVAS_HEIGHT)};
  check_image_size(size, file.where);
  const std::string_view exif = chunk(demuxer.get(), "EXIF");
  return {size, read_orientation({reinterpret_cast<const uint8_t*>(exif.data()), exif.size()},
                                 chunk(demuxer.get(), "XMP "))};
}

RgbImage decode_webp(const EncodedImage& file) {
  const WebPData data{file.data(), file.bytes.size()};
  const std::unique_ptr<WebPDemuxer, ReleaseDemuxer> demuxer(WebPDemux(&data));
  const std::span<const uint8_t> picture =
      demuxer == nullptr ? std::span<const uint8_t>() : opaque_picture(demuxer.get());
  if (picture.empty()) return decode_first_frame(file);
  RgbImage image = blank_image({WebPDemuxGetI(demuxer.get(), WEBP_FF_CANVAS_WIDTH),
                                WebPDemuxGetI(demuxer.get(), WEBP_FF_CANVAS_HEIGHT)},
                               file.where);
  const auto stride = static_cast<int>(image.width * 3);
  if (WebPDecodeRGBInto(picture.data(), picture.size(), image.pixels.data(), image.pixels.size(), stride) ==
      nullptr)
    throw_malformed(file);
  return image;
}

}  // namespace galago
