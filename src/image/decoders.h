// One small interface over the image libraries. In: the bytes of one file whose format is known. Out: its
// header, then its pixels as RGB8, before orientation but for JPEG. Every decoder reports faults as
// galago::Error and keeps its library silent. Used by decode.cc and animation.cc alone.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>

#include "image/animation.h"
#include "image/image.h"

namespace galago {

/// A file in memory and the name that errors give it.
struct EncodedImage {
  std::span<const std::byte> bytes;
  std::string where;
  int64_t page = 1;  ///< of a TIFF file with several

  int64_t size() const { return static_cast<int64_t>(bytes.size()); }
  const uint8_t* data() const { return reinterpret_cast<const uint8_t*>(bytes.data()); }
};

/// What a file says before its pixels are decoded: the stored size, the EXIF orientation (1 to 8), and the
/// bytes that decoding holds at its peak, the decoded image included.
struct ImageHeader {
  ImageSize size;
  int orientation = 1;
  int64_t memory = 0;
};

/// Error{input_invalid} below 1x1, Error{input_too_large} over limits::kImageSide or limits::kImagePixels.
void check_image_size(ImageSize size, const std::string& where);
/// Error{input_too_large} for a canvas of more than limits::kCanvasPixels: nothing in the file stands for
/// them.
void check_canvas_size(ImageSize size, const std::string& where);
/// size.width x size.height pixels of zero; Error{resource} when memory is out.
RgbImage blank_image(ImageSize size, const std::string& where);
/// An image of that size whose rows come with grow_rows; no memory is touched before. Error{resource}.
RgbImage rowless_image(ImageSize size, const std::string& where);
/// Gives the image its first `rows` rows, the new ones zero.
void grow_rows(RgbImage& image, int64_t rows);
[[noreturn]] void throw_invalid_image(const std::string& where, const std::string& got,
                                      const std::string& expected);
[[noreturn]] void throw_unsupported_image(const std::string& where, const std::string& got,
                                          const std::string& expected);

// A header's size has been checked when these return; pixels are decoded only after that, and after its
// memory has been checked too.
ImageHeader read_jpeg_header(const EncodedImage& file);
/// Upright: rows are turned as they come, so that a large photo is never held twice.
RgbImage decode_jpeg(const EncodedImage& file, int orientation);
ImageHeader read_png_header(const EncodedImage& file);
RgbImage decode_png(const EncodedImage& file);
ImageHeader read_webp_header(const EncodedImage& file);
RgbImage decode_webp(const EncodedImage& file);
ImageHeader read_gif_header(const EncodedImage& file);
RgbImage decode_gif(const EncodedImage& file);
/// More than one frame, or one: a canvas that has been checked, and every frame's duration.
Animation read_gif_animation(const EncodedImage& file);
Animation read_webp_animation(const EncodedImage& file);
/// The frames with these indices, ascending and at least one, in order.
void decode_gif_animation(const EncodedImage& file, std::span<const int64_t> wanted, const TakeFrame& take);
void decode_webp_animation(const EncodedImage& file, std::span<const int64_t> wanted, const TakeFrame& take);
/// Error{input_too_large} over limits::kVideoFrames or limits::kVideoPixels.
void check_animation_frames(int64_t frames, ImageSize canvas, const std::string& where);

bool is_gif(const EncodedImage& file);
bool is_webp(const EncodedImage& file);
/// The name of a format that is told by its first bytes, or what a file that has none looks like.
std::string recognise_format(std::span<const std::byte> bytes);

ImageHeader read_bmp_header(const EncodedImage& file);
RgbImage decode_bmp(const EncodedImage& file);
ImageHeader read_tiff_header(const EncodedImage& file);
RgbImage decode_tiff(const EncodedImage& file);
/// How many directories the file has. Error{input_too_large} over limits::kImagePages.
int64_t tiff_pages(const EncodedImage& file);
/// HEIC and AVIF. Upright: the file's own turns are applied; the header's size is that after them.
ImageHeader read_heif_header(const EncodedImage& file);
RgbImage decode_heif(const EncodedImage& file);

}  // namespace galago
