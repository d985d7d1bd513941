// WebP through libwebp. In: a WebP file, still or animated. Out: RGB8 of the first frame on its canvas, black
// around it; alpha is dropped. The frame is decoded straight to its place: the first one is never blended, so
// that the animation decoder, which Pillow uses for all and which holds two canvases of RGBA, gives the same.
// Reference: Pillow 12.3 WebPImagePlugin.py, _webp.c; libwebp's anim_decode.c.
#include <webp/decode.h>
#include <webp/demux.h>

#include <memory>
#include <string_view>

#include "core/limits.h"
#include "galago/error.h"
#include "image/decoders.h"
#include "image/orientation.h"

namespace galago {
namespace {

struct ReleaseDemuxer {
  void operator()(WebPDemuxer* demuxer) const { WebPDemuxDelete(demuxer); }
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

/// The first frame: its data, which belong to the file, and its place on the canvas.
struct FirstFrame {
  std::span<const uint8_t> data;
  ImageSize size;
  int64_t x = 0;
  int64_t y = 0;
};

FirstFrame first_frame(const WebPDemuxer* demuxer, const EncodedImage& file) {
  WebPIterator frame;
  if (WebPDemuxGetFrame(demuxer, 1, &frame) == 0) throw_malformed(file);
  const FirstFrame found{.data = {frame.fragment.bytes, frame.fragment.size},
                         .size = {frame.width, frame.height},
                         .x = frame.x_offset,
                         .y = frame.y_offset};
  WebPDemuxReleaseIterator(&frame);
  return found;
}

// What libwebp holds for each of the frame's pixels: all of a lossless frame as ARGB, or two planes of alpha.
int64_t bytes_per_pixel(const FirstFrame& frame, const EncodedImage& file) {
  WebPBitstreamFeatures features;
  if (WebPGetFeatures(frame.data.data(), frame.data.size(), &features) != VP8_STATUS_OK)
    throw_malformed(file);
  constexpr int kLossless = 2;
  return features.format == kLossless ? 4 : features.has_alpha != 0 ? 2 : 0;
}

ImageSize canvas_size(const WebPDemuxer* demuxer) {
  return {WebPDemuxGetI(demuxer, WEBP_FF_CANVAS_WIDTH), WebPDemuxGetI(demuxer, WEBP_FF_CANVAS_HEIGHT)};
}

// Nothing bounds a WebP image by its bytes: a pixel may cost none.
void check_webp_size(ImageSize size, const std::string& where) {
  if (size.width * size.height <= limits::kWebpPixels) return;
  throw Error(
      ErrorCode::input_too_large,
      {.where = where,
       .got = "a WebP image of " + std::to_string(size.width) + "x" + std::to_string(size.height) + " pixels",
       .expected = "at most " + std::to_string(limits::kWebpPixels) + " pixels"});
}

}  // namespace

ImageHeader read_webp_header(const EncodedImage& file) {
  const WebPData data{file.data(), file.bytes.size()};
  const std::unique_ptr<WebPDemuxer, ReleaseDemuxer> demuxer(WebPDemux(&data));
  if (demuxer == nullptr) {
    throw_invalid_image(file.where, "a truncated or malformed WebP file", "a WebP image");
  }
  const ImageSize size = canvas_size(demuxer.get());
  check_image_size(size, file.where);
  check_webp_size(size, file.where);
  const FirstFrame frame = first_frame(demuxer.get(), file);
  const int64_t canvas = size.width * size.height;
  const int64_t filled = frame.size.width * frame.size.height;
  if (filled < canvas) check_canvas_size(size, file.where);
  const std::string_view exif = chunk(demuxer.get(), "EXIF");
  const int orientation = read_orientation({reinterpret_cast<const uint8_t*>(exif.data()), exif.size()},
                                           chunk(demuxer.get(), "XMP "));
  return {size, orientation, 3 * canvas + bytes_per_pixel(frame, file) * filled};
}

RgbImage decode_webp(const EncodedImage& file) {
  const WebPData data{file.data(), file.bytes.size()};
  const std::unique_ptr<WebPDemuxer, ReleaseDemuxer> demuxer(WebPDemux(&data));
  if (demuxer == nullptr) throw_malformed(file);
  const FirstFrame frame = first_frame(demuxer.get(), file);
  RgbImage image = blank_image(canvas_size(demuxer.get()), file.where);
  const int64_t begin = (frame.y * image.width + frame.x) * 3;
  const auto stride = static_cast<int>(image.width * 3);
  if (WebPDecodeRGBInto(frame.data.data(), frame.data.size(), image.pixels.data() + begin,
                        image.pixels.size() - static_cast<size_t>(begin), stride) == nullptr)
    throw_malformed(file);
  return image;
}

}  // namespace galago
