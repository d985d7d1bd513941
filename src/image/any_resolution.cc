// The LLaVA-NeXT image processor: sizes first, then pixels. In: RGB8. Out: tiles [1 + N, 3, S, S], the whole
// picture first. Sizes follow Python's arithmetic: true division in double, int() truncates, math.ceil, //
// rounds down. Reference: transformers 5.18 image_processing_pil_llava_next.py, image_processing_utils.py,
// image_transforms.py (center_crop).
#include "image/any_resolution.h"

#include <algorithm>
#include <cmath>
#include <new>
#include <string>

#include "core/limits.h"
#include "galago/error.h"
#include "image/resize.h"

namespace galago {
namespace {

constexpr int64_t kChannels = 3;

std::string text_of(int64_t width, int64_t height) {
  return std::to_string(width) + "x" + std::to_string(height);
}

// Half of a difference of sizes, rounded down also where it is negative.
int64_t half(int64_t difference) { return difference >= 0 ? difference / 2 : -((1 - difference) / 2); }

ImageSize fit_into(ImageSize size, Resolution canvas) {
  const double scale_w = static_cast<double>(canvas.width) / static_cast<double>(size.width);
  const double scale_h = static_cast<double>(canvas.height) / static_cast<double>(size.height);
  const auto scaled = [](int64_t length, double scale, int64_t most) {
    return std::min(static_cast<int64_t>(std::ceil(static_cast<double>(length) * scale)), most);
  };
  if (scale_w < scale_h) return {canvas.width, scaled(size.height, scale_w, canvas.height)};
  return {scaled(size.width, scale_h, canvas.width), canvas.height};
}

void check_limits(ImageSize size, const AnyResolutionPlan& plan, Resolution tile) {
  const int64_t tiles = plan.grid.tiles();
  const int64_t most_pixels = limits::kTilePixels / tiles;
  const int64_t canvas = plan.canvas.width * plan.canvas.height;
  if (tiles <= limits::kImageTiles && tile.height * tile.width <= most_pixels &&
      canvas <= limits::kTilePixels)
    return;
  throw Error(ErrorCode::input_too_large,
              {.where = "image of " + text_of(size.width, size.height) + " pixels",
               .got = std::to_string(tiles) + " tiles of " + text_of(tile.width, tile.height) +
                      " pixels, cut from " + text_of(plan.canvas.width, plan.canvas.height),
               .expected = "at most " + std::to_string(limits::kImageTiles) + " tiles and " +
                           std::to_string(limits::kTilePixels) + " pixels in them"});
}

// Rows of a picture from `top` on and columns from `left` on; what lies outside the picture is black. Writes
// `height` x `width` pixels whose colour c of pixel (y, x) goes to out[c * plane + y * row + x * step].
struct Placing {
  int64_t plane;
  int64_t row;
  int64_t step;
};

void copy_window(const RgbImage& image, int64_t top, int64_t left, Resolution window, Placing placing,
                 uint8_t* out) {
  const int64_t first = std::clamp<int64_t>(-left, 0, window.width);
  const int64_t last = std::clamp<int64_t>(image.width - left, first, window.width);
  for (int64_t y = std::max<int64_t>(0, -top); y < std::min(window.height, image.height - top); ++y) {
    const uint8_t* in = image.row(top + y) + (left + first) * kChannels;
    uint8_t* to = out + y * placing.row + first * placing.step;
    for (int64_t x = first; x < last; ++x, in += kChannels, to += placing.step)
      for (int64_t c = 0; c < kChannels; ++c) to[c * placing.plane] = in[c];
  }
}

// Writes tiles one after another as planes, each resized and cropped as the settings say.
class TileWriter {
 public:
  TileWriter(const AnyResolutionConfig& config, Resolution tile, uint8_t* out, const kernels::Device& device)
      : config_(config), tile_(tile), out_(out), device_(device) {}

  // The window at (top, left) of a picture on a black ground.
  void write(const RgbImage& picture, int64_t top, int64_t left, Resolution window) {
    const Resolution resized = config_.do_resize ? config_.size : window;
    if (resized == window) return crop(picture, top, left, window);
    RgbImage cut{.width = window.width, .height = window.height, .pixels = {}};
    cut.pixels.resize(static_cast<size_t>(window.height * window.width * kChannels));
    copy_window(picture, top, left, window, {1, window.width * kChannels, kChannels}, cut.pixels.data());
    crop(resize(cut, {resized.width, resized.height}, config_.resample, config_.resizer, device_), 0, 0,
         resized);
  }

 private:
  // The middle of the window; where the tile is larger than the window, black all around it.
  void crop(const RgbImage& picture, int64_t top, int64_t left, Resolution window) {
    const int64_t down = half(window.height - tile_.height);
    const int64_t right = half(window.width - tile_.width);
    const int64_t plane = tile_.height * tile_.width;
    const Resolution shown{std::min(window.height, tile_.height), std::min(window.width, tile_.width)};
    uint8_t* corner = out_ + std::max<int64_t>(0, -down) * tile_.width + std::max<int64_t>(0, -right);
    copy_window(picture, top + std::max<int64_t>(0, down), left + std::max<int64_t>(0, right), shown,
                {plane, tile_.width, 1}, corner);
    out_ += kChannels * plane;
  }

  const AnyResolutionConfig& config_;
  Resolution tile_;
  uint8_t* out_;
  const kernels::Device& device_;
};

// Whether base image and cut squares are tiles as they are, which is so for every model in use.
bool cuts_only(const AnyResolutionConfig& config, Resolution tile) {
  return config.size == tile && tile == Resolution{config.tile_side, config.tile_side};
}

void write_cut(const RgbImage& image, const AnyResolutionPlan& plan, const AnyResolutionConfig& config,
               uint8_t* out, const kernels::Device& device) {
  const ImageSize size{image.width, image.height};
  const int64_t side = config.tile_side;
  ResizeChain(size)
      .then({side, side}, config.resample, config.resizer)
      .run(image, {out, PictureLayout::planar(side, side)}, device);
  PictureLayout canvas = PictureLayout::tiled(plan.grid.rows, plan.grid.cols, side, side);
  canvas.height = plan.fitted.height;
  canvas.width = plan.fitted.width;
  canvas.top = plan.top;
  canvas.left = plan.left;
  ResizeChain(size)
      .then(plan.fitted, config.resample, config.resizer)
      .run(image, {out + kChannels * side * side, canvas}, device);
}

void write_resized(const RgbImage& image, const AnyResolutionPlan& plan, const AnyResolutionConfig& config,
                   uint8_t* out, const kernels::Device& device) {
  TileWriter writer(config, tile_size(config), out, device);
  writer.write(
      resize(image, {config.size.width, config.size.height}, config.resample, config.resizer, device), 0, 0,
      config.size);
  const RgbImage fitted = resize(image, plan.fitted, config.resample, config.resizer, device);
  const int64_t side = config.tile_side;
  for (int64_t row = 0; row < plan.grid.rows; ++row)
    for (int64_t col = 0; col < plan.grid.cols; ++col)
      writer.write(fitted, row * side - plan.top, col * side - plan.left, {side, side});
}

}  // namespace

Resolution select_best_resolution(ImageSize size, std::span<const Resolution> resolutions) {
  Resolution best = resolutions.front();
  int64_t most_kept = 0;
  int64_t least_wasted = INT64_MAX;
  const auto original_width = static_cast<double>(size.width);
  const auto original_height = static_cast<double>(size.height);
  for (const Resolution& candidate : resolutions) {
    const double scale = std::min(static_cast<double>(candidate.width) / original_width,
                                  static_cast<double>(candidate.height) / original_height);
    const auto width = static_cast<int64_t>(original_width * scale);
    const auto height = static_cast<int64_t>(original_height * scale);
    const int64_t kept = std::min(width * height, size.width * size.height);
    const int64_t wasted = candidate.width * candidate.height - kept;
    if (kept < most_kept || (kept == most_kept && wasted >= least_wasted)) continue;
    most_kept = kept;
    least_wasted = wasted;
    best = candidate;
  }
  return best;
}

AnyResolutionPlan plan_any_resolution(ImageSize size, const AnyResolutionConfig& config) {
  if (size.width < 1 || size.height < 1 || std::max(size.width, size.height) > limits::kImageSide)
    throw Error(ErrorCode::input_invalid,
                {.where = "image size",
                 .got = text_of(size.width, size.height),
                 .expected = "1 to " + std::to_string(limits::kImageSide) + " pixels on each edge"});
  const Resolution tile = tile_size(config);
  const Resolution canvas = select_best_resolution(size, config.image_grid_pinpoints);
  const int64_t side = config.tile_side;
  if (canvas.height < 1 || canvas.width < 1 || canvas.height % side != 0 || canvas.width % side != 0)
    throw Error(ErrorCode::model_invalid,
                {.where = "image_grid_pinpoints",
                 .got = text_of(canvas.width, canvas.height),
                 .expected = "multiples of the tile's side, " + std::to_string(side)});
  AnyResolutionPlan plan;
  plan.canvas = {canvas.width, canvas.height};
  plan.fitted = fit_into(size, canvas);
  plan.top = (canvas.height - plan.fitted.height) / 2;
  plan.left = (canvas.width - plan.fitted.width) / 2;
  plan.grid = {canvas.height / side, canvas.width / side};
  check_limits(size, plan, tile);
  return plan;
}

Resolution tile_size(const AnyResolutionConfig& config) {
  const Resolution cut{config.tile_side, config.tile_side};
  const auto sane = [](Resolution size) {
    return std::min(size.height, size.width) >= 1 &&
           std::max(size.height, size.width) <= limits::kImageSide &&
           size.height * size.width <= limits::kImagePixels;
  };
  const bool same = config.do_center_crop || config.do_resize || config.size == cut;
  if (sane(config.size) && sane(cut) && (!config.do_center_crop || sane(config.crop_size)) && same)
    return config.do_center_crop ? config.crop_size : config.size;
  throw Error(
      ErrorCode::model_invalid,
      {.where = "image processor: size, crop_size",
       .got = "base image of " + text_of(config.size.width, config.size.height) + ", tiles of " +
              text_of(cut.width, cut.height) + ", crop of " +
              text_of(config.crop_size.width, config.crop_size.height),
       .expected = "tiles of one size, of at most " + std::to_string(limits::kImagePixels) + " pixels each"});
}

Tiles make_any_resolution_tiles(const RgbImage& image, const AnyResolutionConfig& config,
                                const kernels::Device& device) {
  const AnyResolutionPlan plan = plan_any_resolution({image.width, image.height}, config);
  const Resolution tile = tile_size(config);
  Tiles tiles{.grid = plan.grid,
              .count = plan.grid.tiles(),
              .height = tile.height,
              .width = tile.width,
              .pixels = {}};
  try {
    tiles.pixels.resize(static_cast<size_t>(tiles.count * kChannels * tile.height * tile.width));
    if (cuts_only(config, tile))
      write_cut(image, plan, config, tiles.pixels.data(), device);
    else
      write_resized(image, plan, config, tiles.pixels.data(), device);
  } catch (const std::bad_alloc&) {
    throw Error(ErrorCode::resource, {.where = "make_any_resolution_tiles",
                                      .got = "no memory for " + std::to_string(tiles.count) + " tiles"});
  }
  return tiles;
}

}  // namespace galago
