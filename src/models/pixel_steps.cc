// Planar floats to interleaved bytes, one Pillow resize, and back.
#include "models/pixel_steps.h"

#include <cmath>

#include "core/limits.h"
#include "galago/error.h"
#include "image/resize.h"

namespace galago {
namespace {

RgbImage to_bytes(const float* tile, int64_t height, int64_t width) {
  RgbImage image{.width = width, .height = height, .pixels = {}};
  image.pixels.resize(static_cast<size_t>(height * width * 3));
  for (int64_t c = 0; c < 3; ++c)
    for (int64_t i = 0; i < height * width; ++i) {
      const float value = tile[c * height * width + i];
      if (!(value >= 0 && value <= 1))
        throw Error(
            ErrorCode::input_invalid,
            {.where = "pixels to resize", .got = std::to_string(value), .expected = "values in 0..1"});
      image.pixels[static_cast<size_t>(i * 3 + c)] = static_cast<uint8_t>(std::lround(value * 255));
    }
  return image;
}

}  // namespace

PixelTransform create_resize_fn(int64_t side, Resample filter, kernels::SharedDevice device,
                                Resizer resizer) {
  if (side < 1 || side > limits::kImageSide)
    throw Error(ErrorCode::usage, {.where = "resize: side",
                                   .got = std::to_string(side),
                                   .expected = "1 to " + std::to_string(limits::kImageSide)});
  return [side, filter, resizer, device = std::move(device)](const Tensor& pixels) {
    const Shape& shape = pixels.shape();
    if (shape.size() != 4 || shape[1] != 3 || shape[2] < 1 || shape[3] < 1)
      throw Error(ErrorCode::input_invalid,
                  {.where = "pixels to resize", .got = to_string(shape), .expected = "[N, 3, H, W]"});
    Tensor out({shape[0], 3, side, side});
    for (int64_t t = 0; t < shape[0]; ++t) {
      const RgbImage tile = to_bytes(pixels.data() + t * 3 * shape[2] * shape[3], shape[2], shape[3]);
      const RgbImage small = resize(tile, {side, side}, filter, resizer, *device);
      for (int64_t c = 0; c < 3; ++c)
        for (int64_t i = 0; i < side * side; ++i)
          out.data()[(t * 3 + c) * side * side + i] =
              static_cast<float>(small.pixels[static_cast<size_t>(i * 3 + c)]) / 255;
    }
    return out;
  };
}

}  // namespace galago
