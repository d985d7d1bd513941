// One resize a picture, straight into planes.
#include "image/fixed_size.h"

#include <string>

#include "core/limits.h"
#include "galago/error.h"
#include "image/resize.h"

namespace galago {
namespace {

void check_size(const RgbImage& image, const FixedSizeConfig& config) {
  if (config.do_resize || (image.width == config.width && image.height == config.height)) return;
  throw Error(
      ErrorCode::input_invalid,
      {.where = "image",
       .got = std::to_string(image.width) + " x " + std::to_string(image.height),
       .expected = std::to_string(config.width) + " x " + std::to_string(config.height),
       .hint = "the model's preprocessor_config.json has do_resize false: pictures come in their size"});
}

}  // namespace

Tiles make_fixed_size_tiles(std::span<const RgbImage> images, const FixedSizeConfig& config,
                            const kernels::Device& device) {
  const auto count = static_cast<int64_t>(images.size());
  const int64_t plane = config.height * config.width;
  if (count > limits::kTilePixels / plane)
    throw Error(ErrorCode::input_too_large,
                {.where = "images",
                 .got = std::to_string(count) + " of " + std::to_string(plane) + " pixels",
                 .expected = "at most " + std::to_string(limits::kTilePixels) + " pixels in all"});
  Tiles tiles{.grid = {}, .count = count, .height = config.height, .width = config.width, .pixels = {}};
  tiles.pixels.resize(static_cast<size_t>(count * 3 * plane));
  uint8_t* out = tiles.pixels.data();
  for (const RgbImage& image : images) {
    check_size(image, config);
    ResizeChain({image.width, image.height})
        .then({config.width, config.height}, config.resample, config.resizer)
        .run(image, {out, PictureLayout::planar(config.height, config.width)}, device);
    out += 3 * plane;
  }
  return tiles;
}

}  // namespace galago
