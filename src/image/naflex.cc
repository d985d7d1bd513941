// The sizes first, by the reference's search in double; then one resize for each picture and its patches.
#include "image/naflex.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <string>

#include "core/checked.h"
#include "core/limits.h"
#include "galago/error.h"
#include "image/preprocess.h"
#include "image/resize.h"

namespace galago {
namespace {

std::string text_of(ImageSize size) {
  return std::to_string(size.width) + " x " + std::to_string(size.height);
}

// Patches along a side of so many pixels, scaled: the last one is filled, and there is one at least.
int64_t patches_along(int64_t side, double scale, int64_t patch) {
  const double patches = std::ceil(static_cast<double>(side) * scale / static_cast<double>(patch));
  return std::max<int64_t>(1, static_cast<int64_t>(patches));
}

// The largest scale at which the patches are not too many, halving an interval: its bounds, its end and every
// rounding decide the result, and are the reference's.
PatchGrid largest_grid(ImageSize size, const NaflexConfig& config) {
  constexpr double kPrecision = 1e-5;
  const auto grid_at = [&](double scale) {
    return PatchGrid{.rows = patches_along(size.height, scale, config.patch_size),
                     .cols = patches_along(size.width, scale, config.patch_size)};
  };
  double fits = kPrecision / 10;
  double too_large = 100.0;
  while (too_large - fits >= kPrecision) {
    const double scale = (fits + too_large) / 2;
    (grid_at(scale).patches() <= config.max_num_patches ? fits : too_large) = scale;
  }
  return grid_at(fits);
}

PatchGrid own_grid(ImageSize size, const NaflexConfig& config) {
  const PatchGrid grid{.rows = size.height / config.patch_size, .cols = size.width / config.patch_size};
  const bool whole = size.height % config.patch_size == 0 && size.width % config.patch_size == 0;
  if (whole && grid.patches() <= config.max_num_patches) return grid;
  throw Error(
      ErrorCode::input_invalid,
      {.where = "image",
       .got = text_of(size),
       .expected = "sides that are multiples of " + std::to_string(config.patch_size) + ", and at most " +
                   std::to_string(config.max_num_patches) + " patches",
       .hint = "the model's preprocessor_config.json has do_resize false: pictures come in their size"});
}

// The patches of a picture of whole patches, as floats.
void cut(const RgbImage& image, PatchGrid grid, int64_t patch, const std::array<float, 3 * 256>& tables,
         float* out) {
  for (int64_t row = 0; row < grid.rows; ++row)
    for (int64_t col = 0; col < grid.cols; ++col)
      for (int64_t y = row * patch; y < (row + 1) * patch; ++y) {
        const uint8_t* line = image.pixels.data() + (y * image.width + col * patch) * 3;
        for (int64_t x = 0; x < patch; ++x, line += 3)
          for (size_t c = 0; c < 3; ++c) *out++ = tables[c * 256 + line[c]];
      }
}

}  // namespace

PatchGrid plan_patches(ImageSize size, const NaflexConfig& config) {
  if (std::min(size.width, size.height) < 1 || std::max(size.width, size.height) > limits::kImageSide)
    throw Error(ErrorCode::input_invalid,
                {.where = "image size",
                 .got = text_of(size),
                 .expected = "1 to " + std::to_string(limits::kImageSide) + " pixels on each edge"});
  return config.do_resize ? largest_grid(size, config) : own_grid(size, config);
}

PatchBatch make_patches(std::span<const RgbImage> images, const NaflexConfig& config,
                        const kernels::Device& device) {
  PatchBatch batch;
  int64_t length = 0;
  for (const RgbImage& image : images) {
    batch.grids.push_back(plan_patches({image.width, image.height}, config));
    length = std::max(length, batch.grids.back().patches());
  }
  const auto count = static_cast<int64_t>(images.size());
  const auto patch_pixels = checked_mul(config.patch_size, config.patch_size);
  const auto pixels = patch_pixels ? checked_mul(*patch_pixels, count * length) : std::nullopt;
  if (!pixels || *pixels > limits::kTilePixels)
    throw Error(ErrorCode::input_too_large,
                {.where = "images",
                 .got = std::to_string(count) + " of " + std::to_string(length) + " patches",
                 .expected = "at most " + std::to_string(limits::kTilePixels) + " pixels in all"});

  const std::array<float, 3 * 256> tables = float_tables(config);
  batch.patches = Tensor({count, length, *patch_pixels * 3});
  float* out = batch.patches.data();
  for (size_t n = 0; n < images.size(); ++n) {
    const PatchGrid grid = batch.grids[n];
    const ImageSize size{.width = grid.cols * config.patch_size, .height = grid.rows * config.patch_size};
    cut(resize(images[n], size, config.resample, config.resizer, device), grid, config.patch_size, tables,
        out);
    const int64_t filled = grid.patches() * *patch_pixels * 3, all = length * *patch_pixels * 3;
    std::fill(out + filled, out + all, 0.0F);
    out += all;
  }
  return batch;
}

}  // namespace galago
