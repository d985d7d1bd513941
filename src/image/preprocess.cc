// The Idefics3 image processor: sizes first (plan_stages), then pixels (make_tiles), then floats (normalise).
// In: RGB8. Out: tiles [N, 3, S, S], the global image last. Sizes follow Python's arithmetic: true division
// in double, int() truncates, math.ceil. Reference: transformers 5.18 image_processing_pil_idefics3.py,
// image_transforms.py (rescale, normalize).
#include "image/preprocess.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <new>

#include "core/limits.h"
#include "galago/error.h"
#include "image/resize.h"

namespace galago {
namespace {

// No image is scaled beyond this edge, whatever the config says: a constant of the reference.
constexpr int64_t kScaledEdge = 4096;
constexpr int64_t kChannels = 3;

int64_t divide_truncate(int64_t length, double ratio) {
  return static_cast<int64_t>(static_cast<double>(length) / ratio);
}
int64_t multiply_truncate(int64_t length, double ratio) {
  return static_cast<int64_t>(static_cast<double>(length) * ratio);
}
double aspect_ratio(ImageSize size) {
  return static_cast<double>(size.width) / static_cast<double>(size.height);
}
int64_t round_up_to(int64_t length, int64_t multiple) {
  return static_cast<int64_t>(std::ceil(static_cast<double>(length) / static_cast<double>(multiple))) *
         multiple;
}

// The longest edge becomes `edge`, the other keeps the shape and is made even.
ImageSize scale_to_edge(ImageSize size, int64_t edge) {
  const double ratio = aspect_ratio(size);
  if (size.width >= size.height) {
    const int64_t height = divide_truncate(edge, ratio);
    return {edge, std::max<int64_t>(height + height % 2, 1)};
  }
  const int64_t width = multiply_truncate(edge, ratio);
  return {std::max<int64_t>(width + width % 2, 1), edge};
}

// The longest edge is at most kScaledEdge; here nothing is made even.
ImageSize shrink_below_bound(ImageSize size) {
  const double ratio = aspect_ratio(size);
  if (size.width >= size.height && size.width > kScaledEdge) {
    return {kScaledEdge, std::max<int64_t>(divide_truncate(kScaledEdge, ratio), 1)};
  }
  if (size.height > size.width && size.height > kScaledEdge) {
    return {std::max<int64_t>(multiply_truncate(kScaledEdge, ratio), 1), kScaledEdge};
  }
  return size;
}

bool has_size(const PreprocessorConfig& config) {
  return config.size_longest_edge >= 1 || std::min(config.size_height, config.size_width) >= 1;
}

// A size of both edges is taken as it is, the shape does not count.
ImageSize scale(ImageSize size, const PreprocessorConfig& config) {
  if (config.size_longest_edge < 1) return {config.size_width, config.size_height};
  return shrink_below_bound(scale_to_edge(size, config.size_longest_edge));
}

// Both edges become multiples of `side`: the longer one is rounded up first, the shorter one follows the
// shape and is then rounded up, which may stretch the image a little.
ImageSize snap_to_tiles(ImageSize size, int64_t side) {
  const double ratio = aspect_ratio(size);
  if (size.width >= size.height) {
    const int64_t width = round_up_to(size.width, side);
    return {width, round_up_to(divide_truncate(width, ratio), side)};
  }
  const int64_t height = round_up_to(size.height, side);
  return {round_up_to(multiply_truncate(height, ratio), side), height};
}

std::string text_of(ImageSize size) { return std::to_string(size.width) + "x" + std::to_string(size.height); }

void check_limits(ImageSize size, const TilePlan& plan) {
  const int64_t tiles = plan.grid.tiles();
  if (tiles <= limits::kImageTiles && plan.side * plan.side <= limits::kTilePixels / tiles) return;
  throw Error(ErrorCode::input_too_large,
              {.where = "image of " + text_of(size) + " pixels",
               .got = std::to_string(tiles) + " tiles of " + text_of({plan.side, plan.side}) + " pixels",
               .expected = "at most " + std::to_string(limits::kImageTiles) + " tiles and " +
                           std::to_string(limits::kTilePixels) + " pixels in them",
               .hint = "use a smaller image, or the preprocessor's do_resize"});
}

// The float of every byte value in one channel. The reference multiplies in double and rounds to float, then
// subtracts and divides in float.
void float_of_byte(const PixelScaling& scaling, int64_t channel, float* table) {
  const auto mean = static_cast<float>(scaling.image_mean[channel]);
  const auto deviation = static_cast<float>(scaling.image_std[channel]);
  for (int value = 0; value < 256; ++value) {
    auto pixel = static_cast<float>(value);
    if (scaling.do_rescale) pixel = static_cast<float>(value * scaling.rescale_factor);
    if (scaling.do_normalize) pixel = (pixel - mean) / deviation;
    table[value] = pixel;
  }
}

}  // namespace

TilePlan plan_stages(ImageSize size, const PreprocessorConfig& config) {
  if (size.width < 1 || size.height < 1 || std::max(size.width, size.height) > limits::kImageSide) {
    throw Error(ErrorCode::input_invalid,
                {.where = "image size",
                 .got = text_of(size),
                 .expected = "1 to " + std::to_string(limits::kImageSide) + " pixels on each edge"});
  }
  TilePlan plan;
  plan.side = config.max_image_size_longest_edge;
  if (plan.side < 1 || plan.side > limits::kImageSide || (config.do_resize && !has_size(config))) {
    throw Error(ErrorCode::model_invalid,
                {.where = "preprocessor_config.json",
                 .got = "size.longest_edge " + std::to_string(config.size_longest_edge) +
                        ", max_image_size.longest_edge " + std::to_string(plan.side),
                 .expected = "lengths of 1 to " + std::to_string(limits::kImageSide) + " pixels"});
  }
  plan.scaled = config.do_resize ? scale(size, config) : size;
  const ImageSize one_tile{plan.side, plan.side};
  plan.snapped = config.do_image_splitting ? snap_to_tiles(plan.scaled, plan.side) : one_tile;
  // The reference computes the same 0 and cannot resize to it either.
  if (plan.snapped.width < 1 || plan.snapped.height < 1) {
    throw Error(ErrorCode::input_invalid,
                {.where = "image of " + text_of(size) + " pixels",
                 .got = "a size of " + text_of(plan.snapped) + " in tiles of " + text_of(one_tile),
                 .expected = "an image that is less elongated"});
  }
  if (plan.snapped.width > plan.side || plan.snapped.height > plan.side) {
    plan.grid = {plan.snapped.height / plan.side, plan.snapped.width / plan.side};
  }
  check_limits(size, plan);
  return plan;
}

TileGrid plan_tiles(ImageSize size, const PreprocessorConfig& config) {
  return plan_stages(size, config).grid;
}

Tiles make_tiles(const RgbImage& image, const PreprocessorConfig& config, const kernels::Device& device) {
  const TilePlan plan = plan_stages({image.width, image.height}, config);
  Tiles tiles{.grid = plan.grid, .count = plan.grid.tiles(), .height = plan.side, .width = plan.side};
  const int64_t tile_bytes = kChannels * plan.side * plan.side;
  try {
    tiles.pixels.resize(tiles.count * tile_bytes);
  } catch (const std::bad_alloc&) {
    throw Error(ErrorCode::resource,
                {.where = "make_tiles", .got = "no memory for " + std::to_string(tiles.count) + " tiles"});
  }
  // The snapped picture is written straight into its tiles; a picture that is not split is one tile.
  const int64_t rows = plan.snapped.height / plan.side, cols = plan.snapped.width / plan.side;
  const PictureLayout snapped = PictureLayout::tiled(rows, cols, plan.side, plan.side);
  uint8_t* out = tiles.pixels.data();
  ResizeChain({image.width, image.height})
      .then(plan.scaled, config.resample, config.resizer)
      .then(plan.snapped, config.resample, config.resizer)
      .run(image, {out, snapped}, device);
  if (tiles.count > 1)
    ResizeChain(plan.snapped)
        .then({plan.side, plan.side}, config.resample, config.resizer)
        .run({out, snapped}, {out + rows * cols * tile_bytes, PictureLayout::planar(plan.side, plan.side)},
             device);
  return tiles;
}

std::array<float, 3 * 256> float_tables(const PixelScaling& scaling) {
  std::array<float, kChannels * 256> tables;
  for (int64_t channel = 0; channel < kChannels; ++channel)
    float_of_byte(scaling, channel, tables.data() + channel * 256);
  return tables;
}

Tensor normalise(const Tiles& tiles, const PixelScaling& scaling, const kernels::Device& device) {
  Tensor floats({tiles.count, kChannels, tiles.height, tiles.width});
  device.look_up(tiles.pixels, tiles.height * tiles.width, float_tables(scaling), floats.data());
  return floats;
}

}  // namespace galago
