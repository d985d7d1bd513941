// Resizing as Pillow does it, bit for bit: separable filters with fixed-point coefficients, horizontal pass
// first; and as torch does it, which rounds the coefficients to fewer bits. In: RGB8 of any size. Out: RGB8
// of the asked size. Reference: Pillow 12.3 Image.resize (libImaging/Resample.c).
#pragma once

#include <vector>

#include "core/picture.h"
#include "image/image.h"
#include "io/config.h"
#include "kernels/kernels.h"

namespace galago {

/// Whose rounding a resize follows. torch's antialiased interpolate on bytes gives the weights of an axis 16
/// bits, and as many of them after the point as its largest weight leaves; Pillow has 22. The results differ
/// by at most a few units in about one byte of a hundred. Reference: torch 2.13 interpolate(antialias=True),
/// torchvision 0.28 resize.
enum class Rounding { pillow, torch };

/// Resizes one after another, planned for pictures of one size: each rounds to bytes as if its result had
/// been kept, but only rows that the next one needs are made, and not kept longer than needed.
class ResizeChain {
 public:
  explicit ResizeChain(ImageSize from) : size_(from) {}

  /// Error{internal} for a size below 1x1 and for torch's rounding of Resample::nearest, Error{resource}.
  ResizeChain& then(ImageSize to, Resample filter, Rounding rounding = Rounding::pillow);
  /// Writes the result to out, of the last size. Error{resource} when memory is out.
  void run(const ConstPicture& in, const Picture& out) const;
  void run(const RgbImage& image, const Picture& out) const;

 private:
  struct Pass {
    kernels::Direction direction;
    kernels::ResampleAxis axis;
  };
  ImageSize size_;
  std::vector<Pass> passes_;
};

/// The image at width x height (both at least 1). A size equal to the image's own returns it unchanged.
RgbImage resize(const RgbImage& image, int64_t width, int64_t height, Resample filter);

/// The same with torch's rounding. Not for Resample::nearest (Error{internal}).
RgbImage resize_as_torch(const RgbImage& image, int64_t width, int64_t height, Resample filter);

}  // namespace galago
