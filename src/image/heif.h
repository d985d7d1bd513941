// What a HEIC or AVIF file says of its picture, and how its planes become RGB8. In: the file's boxes; planes
// of brightness and colour difference. Out: sizes, transforms, bytes. Used by heif.cc, heif_boxes.cc and
// heif_colors.cc alone. Reference: ISO 14496-12 and 23008-12 (boxes), pillow-heif 1.8 with libheif 1.23
// (HEIC), Pillow 12.3 with libavif 1.4 (AVIF).
#pragma once

#include <array>
#include <optional>
#include <vector>

#include "image/decoders.h"

namespace galago {

/// A clean aperture: the part of the picture to show, as numerators and denominators of the file.
struct HeifCrop {
  std::array<int64_t, 2> width, height, x, y;
};

struct HeifTransform {
  enum class Kind { rotate, mirror, crop } kind;
  int value = 0;  ///< quarter turns against the clock; mirrored top to bottom (0) or left to right (1)
  HeifCrop crop{};
};

/// How the planes of colour difference lie to that of brightness.
enum class HeifChroma { none, half_both, half_width, whole };

/// How the numbers of the planes mean colours (ITU-T H.273).
struct HeifProfile {
  int matrix = 2;  ///< MatrixCoefficients; 2 says nothing
  bool full_range = true;
};

/// A 'colr' box: where its content stands in the file, and its length.
struct HeifColorBox {
  size_t at = 0;
  size_t size = 0;
};

/// The primary picture of the file.
struct HeifPicture {
  bool is_avif = false;
  HeifChroma chroma = HeifChroma::half_both;
  int bits = 8;                        ///< of a coded sample
  bool auxiliary = false;              ///< other pictures belong to it, such as its alpha
  std::optional<HeifProfile> profile;  ///< as the file states it; else it is in the coded data
  std::vector<HeifColorBox> color_boxes;
  ImageSize size;                         ///< before the transforms
  std::vector<HeifTransform> transforms;  ///< in the order in which they apply
};

/// Error{input_invalid} when the boxes lead nowhere or the size is missing; sizes have been checked.
HeifPicture read_heif_boxes(const EncodedImage& file);

/// The planes of a decoded picture, all of its size: where the colours were coarser, each stands at the first
/// of the pixels that share it.
struct HeifPlanes {
  ImageSize size;
  int bits = 8;  ///< of a sample: 8 in a byte, up to 16 in two
  HeifChroma chroma = HeifChroma::half_both;
  bool alpha = false;  ///< there is such a plane, which is dropped
  HeifProfile profile;
  std::array<const uint8_t*, 3> rows{};  ///< brightness, blue and red difference
  std::array<int64_t, 3> strides{};      ///< in bytes

  bool half_width() const { return chroma == HeifChroma::half_both || chroma == HeifChroma::half_width; }
  bool half_height() const { return chroma == HeifChroma::half_both; }
};

/// The picture as RGB8. Error{unsupported_media} for a matrix that is not read.
RgbImage heic_planes_to_rgb(const HeifPlanes& planes, const std::string& where);
RgbImage avif_planes_to_rgb(const HeifPlanes& planes, const std::string& where);

}  // namespace galago
