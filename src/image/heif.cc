// HEIC and AVIF through libheif. In: a file of the HEIF family. Out: RGB8 of its primary picture, upright.
// libheif decodes the planes; their colours and the turns are ours, so that the pixels are those of Pillow
// whatever version of libheif is installed. Reference: pillow-heif 1.8 (HEIC), Pillow 12.3 AvifImagePlugin.py
// (AVIF).
#include "image/heif.h"

#include <libheif/heif.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <memory>
#include <string_view>
#include <utility>

#include "core/limits.h"
#include "galago/error.h"
#include "image/orientation.h"

namespace galago {
namespace {

struct FreeHeif {
  void operator()(heif_context* context) const { heif_context_free(context); }
  void operator()(heif_image_handle* handle) const { heif_image_handle_release(handle); }
  void operator()(heif_image* image) const { heif_image_release(image); }
  void operator()(heif_decoding_options* options) const { heif_decoding_options_free(options); }
  void operator()(heif_color_profile_nclx* profile) const { heif_nclx_color_profile_free(profile); }
};
template <typename Type>
using Heif = std::unique_ptr<Type, FreeHeif>;

void check(const heif_error& result, const EncodedImage& file) {
  if (result.code == heif_error_Ok) return;
  const std::string message =
      std::string("HEIF: ") + (result.message == nullptr ? "damaged data" : result.message);
  if (result.subcode == heif_suberror_Security_limit_exceeded)
    throw Error(ErrorCode::input_too_large, {.where = file.where, .got = message});
  if (result.code == heif_error_Memory_allocation_error)
    throw Error(ErrorCode::resource, {.where = file.where, .got = message});
  const bool unsupported = result.code == heif_error_Unsupported_filetype ||
                           result.code == heif_error_Unsupported_feature ||
                           result.code == heif_error_Color_profile_does_not_exist;
  if (unsupported)
    throw_unsupported_image(file.where, message, "a picture that the installed libheif decodes");
  throw_invalid_image(file.where, message, "a whole HEIC or AVIF image");
}

// Decoders may be plugins, which this loads. There is no way back: other parts of a program may use libheif
// too.
void load_plugins(const EncodedImage& file) {
  static const heif_error loaded = heif_init(nullptr);
  check(loaded, file);
}

/// One file as libheif holds it.
struct OpenHeif {
  Heif<heif_context> context;
  Heif<heif_decoding_options> options;
};

OpenHeif open_heif(std::span<const std::byte> bytes, const HeifPicture& picture, const EncodedImage& file) {
  load_plugins(file);
  OpenHeif open{Heif<heif_context>(heif_context_alloc()),
                Heif<heif_decoding_options>(heif_decoding_options_alloc())};
  if (open.context == nullptr || open.options == nullptr) throw std::bad_alloc();
  const int64_t side = std::max(picture.size.width, picture.size.height);
  heif_context_set_maximum_image_size_limit(open.context.get(),
                                            static_cast<int>(side + 1));  // tiles may reach it
  heif_context_set_max_decoding_threads(open.context.get(), 0);
  open.options->ignore_transformations = 1;
  open.options->strict_decoding = 1;
  check(heif_context_read_from_memory_without_copy(open.context.get(), bytes.data(), bytes.size(), nullptr),
        file);
  return open;
}

Heif<heif_image_handle> primary_of(const OpenHeif& open, const EncodedImage& file) {
  heif_image_handle* handle = nullptr;
  check(heif_context_get_primary_image_handle(open.context.get(), &handle), file);
  return Heif<heif_image_handle>(handle);
}

// libheif 1.15 gives only RGB, made with the profile of the file. A copy of the file whose profiles say that
// the planes are green, blue and red makes it hand out the planes as they are.
std::vector<std::byte> with_plain_colors(const HeifPicture& picture, const EncodedImage& file) {
  // nclx; primaries and transfer unspecified, matrix 0 (identity), full range
  constexpr std::string_view profile("nclx\0\2\0\2\0\0\x80", 11);
  std::vector<std::byte> bytes(file.bytes.begin(), file.bytes.end());
  for (const HeifColorBox& box : picture.color_boxes)
    std::memcpy(bytes.data() + box.at, profile.data(), profile.size());
  return bytes;
}

void read_plane(const heif_image* image, heif_channel channel, int place, HeifPlanes& planes,
                const EncodedImage& file) {
  int stride = 0;
  planes.rows[place] = heif_image_get_plane_readonly(image, channel, &stride);
  planes.strides[place] = stride;
  planes.bits = heif_image_get_bits_per_pixel_range(image, channel);
  if (planes.rows[place] == nullptr || heif_image_get_width(image, channel) != planes.size.width ||
      heif_image_get_height(image, channel) != planes.size.height)
    throw_invalid_image(file.where, "HEIF data of another size than the header", "the size in the header");
  if (planes.bits < 8 || planes.bits > 16)
    throw_unsupported_image(file.where, "a HEIF picture of " + std::to_string(planes.bits) + " bits",
                            "8 to 16");
}

/// A decoded picture, and its planes as it holds them.
struct DecodedHeif {
  Heif<heif_image> image;
  HeifPlanes planes;
};

DecodedHeif decode_planes(const OpenHeif& open, const heif_image_handle* handle, const HeifPicture& picture,
                          const EncodedImage& file) {
  const bool gray = picture.chroma == HeifChroma::none;
  heif_image* image = nullptr;
  check(heif_decode_image(handle, &image, gray ? heif_colorspace_monochrome : heif_colorspace_RGB,
                          gray ? heif_chroma_monochrome : heif_chroma_444, open.options.get()),
        file);
  DecodedHeif decoded{Heif<heif_image>(image), {.size = picture.size, .chroma = picture.chroma}};
  decoded.planes.alpha = heif_image_handle_has_alpha_channel(handle) != 0;
  read_plane(image, gray ? heif_channel_Y : heif_channel_G, 0, decoded.planes, file);
  if (gray) return decoded;
  read_plane(image, heif_channel_B, 1, decoded.planes, file);
  read_plane(image, heif_channel_R, 2, decoded.planes, file);
  return decoded;
}

// Whether two ways to make colours differ by no more than their rounding.
bool agree(const RgbImage& image, const heif_image* other) {
  int stride = 0;
  const uint8_t* rows = heif_image_get_plane_readonly(other, heif_channel_interleaved, &stride);
  if (rows == nullptr || heif_image_get_width(other, heif_channel_interleaved) != image.width ||
      heif_image_get_height(other, heif_channel_interleaved) != image.height)
    return false;
  for (int64_t y = 0; y < image.height; ++y)
    for (int64_t i = 0; i < image.width * 3; ++i)
      if (std::abs(image.row(y)[i] - rows[y * stride + i]) > 1) return false;
  return true;
}

// A file whose only profile is an ICC one, which nobody reads: the coded data have another, which libheif
// follows but does not tell. It is the one that gives libheif's colours.
HeifProfile coded_profile(HeifPlanes planes, const HeifPicture& picture, const EncodedImage& file) {
  constexpr std::array<HeifProfile, 6> usual = {
      {{2, true}, {2, false}, {1, true}, {1, false}, {9, true}, {9, false}}};
  const OpenHeif open = open_heif(file.bytes, picture, file);
  open.options->convert_hdr_to_8bit = 1;
  const Heif<heif_image_handle> handle = primary_of(open, file);
  heif_image* image = nullptr;
  check(heif_decode_image(handle.get(), &image, heif_colorspace_RGB, heif_chroma_interleaved_RGB,
                          open.options.get()),
        file);
  const Heif<heif_image> colors(image);
  for (const HeifProfile& profile : usual) {
    planes.profile = profile;
    if (agree(heic_planes_to_rgb(planes, file.where), image)) return profile;
  }
  throw_unsupported_image(file.where, "coded colours of an unusual matrix", "BT.601, BT.709 or BT.2020");
}

RgbImage decode_colors(const HeifPicture& picture, const EncodedImage& file) {
  const std::vector<std::byte> bytes = with_plain_colors(picture, file);
  const OpenHeif open = open_heif(bytes, picture, file);
  const Heif<heif_image_handle> handle = primary_of(open, file);
  if (heif_image_handle_is_premultiplied_alpha(handle.get()) != 0)
    throw_unsupported_image(file.where, "colours multiplied by their alpha",
                            "a HEIF picture of plain colours");
  DecodedHeif decoded = decode_planes(open, handle.get(), picture, file);
  HeifPlanes& planes = decoded.planes;
  if (picture.profile) {
    planes.profile = *picture.profile;
  } else if (picture.chroma != HeifChroma::none && picture.color_boxes.empty()) {
    planes.chroma = HeifChroma::whole;  // what libheif gives are colours, made by its own rules
    planes.profile.matrix = 0;
  } else if (picture.chroma != HeifChroma::none) {
    planes.profile = coded_profile(planes, picture, file);
  }
  return picture.is_avif ? avif_planes_to_rgb(planes, file.where) : heic_planes_to_rgb(planes, file.where);
}

/// Columns and rows that a clean aperture keeps, from the first to the last.
struct Kept {
  int64_t left, right, top, bottom;
};

int64_t rounded_down(double value) { return static_cast<int64_t>(std::floor(value)); }

// The aperture lies around the picture's middle, moved by its offset.
Kept kept_by(const HeifCrop& crop, ImageSize size, const std::string& where) {
  const auto value = [](const std::array<int64_t, 2>& fraction) {
    return static_cast<double>(fraction[0]) / static_cast<double>(fraction[1]);
  };
  const double left = value(crop.x) + (static_cast<double>(size.width) - value(crop.width)) / 2;
  const double top = value(crop.y) + (static_cast<double>(size.height) - value(crop.height)) / 2;
  Kept kept{rounded_down(left + 0.5), rounded_down(left + value(crop.width) - 0.5), rounded_down(top + 0.5),
            rounded_down(top + value(crop.height) - 0.5)};
  kept = {std::max<int64_t>(kept.left, 0), std::min(kept.right, size.width - 1),
          std::max<int64_t>(kept.top, 0), std::min(kept.bottom, size.height - 1)};
  if (kept.left > kept.right || kept.top > kept.bottom)
    throw_invalid_image(where, "a clean aperture without pixels", "a part of the picture");
  return kept;
}

// As an EXIF orientation.
int turn_of(const HeifTransform& transform) {
  constexpr std::array<int, 4> against_the_clock = {1, 8, 3, 6};
  if (transform.kind == HeifTransform::Kind::rotate) return against_the_clock[transform.value];
  return transform.value == 0 ? 4 : 2;
}

ImageSize transformed(ImageSize size, const HeifTransform& transform, const std::string& where) {
  if (transform.kind != HeifTransform::Kind::crop) return upright_size(size, turn_of(transform));
  const Kept kept = kept_by(transform.crop, size, where);
  return {kept.right - kept.left + 1, kept.bottom - kept.top + 1};
}

RgbImage transformed(RgbImage image, const HeifTransform& transform, const std::string& where) {
  if (transform.kind != HeifTransform::Kind::crop) return turn_upright(std::move(image), turn_of(transform));
  const Kept kept = kept_by(transform.crop, {image.width, image.height}, where);
  RgbImage part = blank_image({kept.right - kept.left + 1, kept.bottom - kept.top + 1}, where);
  for (int64_t y = 0; y < part.height; ++y)
    std::memcpy(part.row(y), image.row(kept.top + y) + kept.left * 3, static_cast<size_t>(part.width) * 3);
  return part;
}

// Pillow's AVIF reader ignores clean apertures.
bool applies(const HeifPicture& picture, const HeifTransform& transform) {
  return !picture.is_avif || transform.kind != HeifTransform::Kind::crop;
}

// What libheif and its decoder hold at their peak, a little more than was measured with libheif 1.15,
// libde265 and dav1d: planes as they are coded, copies of them, and planes of colours, all of samples of one
// or two bytes. Where the profile has to be found, the first planes stay while the picture is decoded again.
// The picture that is made takes less than what is gone by then.
int64_t bytes_per_pixel(const HeifPicture& picture) {
  int64_t samples = 0;
  switch (picture.chroma) {
    case HeifChroma::none:
      samples = 6;
      break;
    case HeifChroma::half_both:
      samples = 8;
      break;
    case HeifChroma::half_width:
      samples = 10;
      break;
    case HeifChroma::whole:
      samples = 14;
      break;
  }
  if (picture.auxiliary) samples += 2;
  if (!picture.profile && picture.chroma != HeifChroma::none) samples += 3;
  return samples * (picture.bits > 8 ? 2 : 1);
}

}  // namespace

ImageHeader read_heif_header(const EncodedImage& file) {
  const HeifPicture picture = read_heif_boxes(file);
  ImageSize size = picture.size;
  for (const HeifTransform& transform : picture.transforms)
    if (applies(picture, transform)) size = transformed(size, transform, file.where);
  return {size, 1, bytes_per_pixel(picture) * picture.size.width * picture.size.height + 2 * file.size()};
}

RgbImage decode_heif(const EncodedImage& file) {
  const HeifPicture picture = read_heif_boxes(file);
  RgbImage image = decode_colors(picture, file);
  for (const HeifTransform& transform : picture.transforms)
    if (applies(picture, transform)) image = transformed(std::move(image), transform, file.where);
  return image;
}

}  // namespace galago
