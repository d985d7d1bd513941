// Resizing as Pillow does it, bit for bit: separable filters with fixed-point coefficients, in the order of
// passes of Pillow 13 or 12; and as torch does it. In: RGB8 of any size. Out: RGB8 of the asked size.
// Reference: Pillow 13.0 and 12.3 Image.resize (libImaging/Resample.c). torch's antialiased interpolate on
// bytes gives the weights of an axis 16 bits, and as many of them after the point as its largest weight
// leaves, where Pillow has 22: they differ by at most a few units in about one byte of a hundred. Reference:
// torch 2.13 interpolate(antialias=True), torchvision 0.28 resize.
#pragma once

#include <vector>

#include "core/picture.h"
#include "formats/config/config.h"
#include "image/image.h"
#include "kernels/kernels.h"

namespace galago {

/// Resizes one after another, planned for pictures of one size: each rounds to bytes as if its result had
/// been kept, but only rows that the next one needs are made, and not kept longer than needed.
class ResizeChain {
 public:
  explicit ResizeChain(ImageSize from) : size_(from) {}

  /// Error{internal} for a size below 1x1 and for a filter that torch lacks (nearest, box, hamming),
  /// Error{resource}.
  ResizeChain& then(ImageSize to, Resample filter, Resizer resizer);
  /// Writes the result to out, of the last size. Error{resource} when memory is out.
  void run(const ConstPicture& in, const Picture& out, const kernels::Device& device) const;
  void run(const RgbImage& image, const Picture& out, const kernels::Device& device) const;

 private:
  struct Pass {
    kernels::Direction direction;
    kernels::ResampleAxis axis;
  };
  ImageSize size_;
  std::vector<Pass> passes_;
};

/// The image in another size, of at least 1x1. A size equal to the image's own returns it unchanged.
RgbImage resize(const RgbImage& image, ImageSize to, Resample filter, Resizer resizer,
                const kernels::Device& device);

}  // namespace galago
