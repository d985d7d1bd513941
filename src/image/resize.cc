// Pillow's separable 8-bit resampling. In: RGB8. Out: RGB8 of another size, the same bytes as Pillow.
// Filter weights are computed in double, normalised to sum 1 and rounded to 22 fractional bits (torch: to
// fewer, so that they fit 16 bits); each pass sums in int32, adds one half, shifts and clips to a byte. The
// horizontal pass comes first and touches only the rows that the vertical pass reads. Reference: Pillow 12.3
// Image.resize, libImaging/Resample.c and, for nearest, the scale transform of Geometry.c.
#include "image/resize.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>
#include <new>
#include <numbers>

#include "core/checked.h"
#include "galago/error.h"

namespace galago {
namespace {

constexpr int kPrecisionBits = 32 - 8 - 2;
constexpr int64_t kChannels = 3;
// Rows that the horizontal pass takes at once: the innermost loop runs over them, so that it vectorises.
constexpr int64_t kRowBlock = 16;

struct Filter {
  double (*weight)(double);
  double support;  // the weight is zero beyond this distance
};

double bilinear(double x) {
  x = std::abs(x);
  return x < 1.0 ? 1.0 - x : 0.0;
}

// Cubic convolution with a = -1/2.
double bicubic(double x) {
  constexpr double a = -0.5;
  x = std::abs(x);
  if (x < 1.0) return ((a + 2.0) * x - (a + 3.0)) * x * x + 1;
  if (x < 2.0) return (((x - 5) * x + 8) * x - 4) * a;
  return 0.0;
}

double sinc(double x) {
  if (x == 0.0) return 1.0;
  x *= std::numbers::pi;
  return std::sin(x) / x;
}

double lanczos(double x) { return -3.0 <= x && x < 3.0 ? sinc(x) * sinc(x / 3) : 0.0; }

Filter filter_of(Resample resample) {
  switch (resample) {
    case Resample::bilinear:
      return {bilinear, 1.0};
    case Resample::bicubic:
      return {bicubic, 2.0};
    default:
      return {lanczos, 3.0};
  }
}

/// The weights of one axis: output i is the sum of weights[i * taps + k] * input[first[i] + k], k < count[i].
struct Axis {
  int64_t taps = 0;
  int bits = kPrecisionBits;  // of a weight after the point
  std::vector<int32_t> first;
  std::vector<int32_t> count;
  std::vector<int32_t> weights;

  const int32_t* of(int64_t i) const { return weights.data() + i * taps; }
  int32_t half() const { return 1 << (bits - 1); }
  uint8_t clip(int32_t sum) const { return static_cast<uint8_t>(std::clamp(sum >> bits, 0, 255)); }
};

int32_t to_fixed(double weight, int bits) {
  const double scaled = weight * (1 << bits);
  return static_cast<int32_t>(weight < 0 ? scaled - 0.5 : scaled + 0.5);
}

/// Whose rounding a resize follows.
enum class Rounding { pillow, torch };

// The most bits after the point with which the largest weight still fits a signed 16-bit number.
int bits_for_torch(double largest) {
  int bits = 0;
  while (bits < kPrecisionBits && static_cast<int>(0.5 + largest * (1 << (bits + 1))) < (1 << 15)) ++bits;
  return bits;
}

Axis plan_axis(int64_t in, int64_t out, const Filter& filter, Rounding rounding) {
  const double scale = static_cast<double>(in) / static_cast<double>(out);
  const double stretch = std::max(scale, 1.0);  // when shrinking, the filter widens
  const double support = filter.support * stretch;
  const double inverse = 1.0 / stretch;

  Axis axis;
  axis.taps = static_cast<int64_t>(std::ceil(support)) * 2 + 1;
  axis.first.resize(out);
  axis.count.resize(out);
  axis.weights.resize(out * axis.taps);
  std::vector<double> exact(out * axis.taps);
  for (int64_t i = 0; i < out; ++i) {
    const double center = (static_cast<double>(i) + 0.5) * scale;
    const int64_t begin = std::max<int64_t>(static_cast<int64_t>(center - support + 0.5), 0);
    const int64_t end = std::min<int64_t>(static_cast<int64_t>(center + support + 0.5), in);
    double* weights = exact.data() + i * axis.taps;
    double sum = 0.0;
    for (int64_t k = 0; k < end - begin; ++k) {
      weights[k] = filter.weight((static_cast<double>(k + begin) - center + 0.5) * inverse);
      sum += weights[k];
    }
    for (int64_t k = 0; k < end - begin && sum != 0.0; ++k) weights[k] /= sum;
    axis.first[i] = static_cast<int32_t>(begin);
    axis.count[i] = static_cast<int32_t>(end - begin);
  }
  if (rounding == Rounding::torch) axis.bits = bits_for_torch(*std::max_element(exact.begin(), exact.end()));
  for (size_t i = 0; i < exact.size(); ++i) axis.weights[i] = to_fixed(exact[i], axis.bits);
  return axis;
}

RgbImage allocate(int64_t width, int64_t height) {
  RgbImage image{.width = width, .height = height};
  const auto bytes = checked_mul(width * kChannels, height);
  if (!bytes) throw std::bad_alloc();
  image.pixels.resize(*bytes);
  return image;
}

// Transposes up to kRowBlock rows so that the same sample of all rows lies together: [width * 3][kRowBlock].
void gather_rows(const RgbImage& image, int64_t y, int64_t rows, std::vector<uint8_t>& block) {
  const int64_t samples = image.width * kChannels;
  for (int64_t r = 0; r < rows; ++r) {
    const uint8_t* row = image.row(y + r);
    for (int64_t s = 0; s < samples; ++s) block[s * kRowBlock + r] = row[s];
  }
}

// Rows [begin, end) of the image, resized along x.
RgbImage resize_rows(const RgbImage& image, int64_t begin, int64_t end, const Axis& axis) {
  const auto width = static_cast<int64_t>(axis.first.size());
  RgbImage out = allocate(width, end - begin);
  std::vector<uint8_t> block(image.width * kChannels * kRowBlock);
  for (int64_t y = begin; y < end; y += kRowBlock) {
    const int64_t rows = std::min(kRowBlock, end - y);
    gather_rows(image, y, rows, block);
    for (int64_t x = 0; x < width; ++x) {
      const int32_t* weights = axis.of(x);
      for (int64_t c = 0; c < kChannels; ++c) {
        int32_t sums[kRowBlock];
        std::fill_n(sums, kRowBlock, axis.half());
        const uint8_t* in = block.data() + (axis.first[x] * kChannels + c) * kRowBlock;
        for (int32_t k = 0; k < axis.count[x]; ++k, in += kChannels * kRowBlock) {
          for (int64_t r = 0; r < kRowBlock; ++r) sums[r] += in[r] * weights[k];
        }
        for (int64_t r = 0; r < rows; ++r) out.row(y - begin + r)[x * kChannels + c] = axis.clip(sums[r]);
      }
    }
  }
  return out;
}

// The image resized along y; its row 0 is row `top` of the image for which the axis was planned.
RgbImage resize_columns(const RgbImage& image, int64_t top, const Axis& axis) {
  const auto height = static_cast<int64_t>(axis.first.size());
  const int64_t samples = image.width * kChannels;
  RgbImage out = allocate(image.width, height);
  std::vector<int32_t> sums(samples);
  for (int64_t y = 0; y < height; ++y) {
    std::fill(sums.begin(), sums.end(), axis.half());
    const int32_t* weights = axis.of(y);
    for (int32_t k = 0; k < axis.count[y]; ++k) {
      const uint8_t* in = image.row(axis.first[y] - top + k);
      const int32_t weight = weights[k];
      for (int64_t s = 0; s < samples; ++s) sums[s] += in[s] * weight;
    }
    uint8_t* row = out.row(y);
    for (int64_t s = 0; s < samples; ++s) row[s] = axis.clip(sums[s]);
  }
  return out;
}

// The input position of each output position: positions are accumulated in double, as the reference does, so
// the last ones may fall outside and are then -1.
std::vector<int64_t> nearest_positions(int64_t in, int64_t out) {
  const double step = static_cast<double>(in) / static_cast<double>(out);
  std::vector<int64_t> positions(out);
  double at = step * 0.5;
  for (int64_t i = 0; i < out; ++i, at += step) {
    const auto position = static_cast<int64_t>(at);
    positions[i] = position < in ? position : -1;
  }
  return positions;
}

RgbImage resize_nearest(const RgbImage& image, int64_t width, int64_t height) {
  RgbImage out = allocate(width, height);  // black where no input pixel is hit
  const std::vector<int64_t> columns = nearest_positions(image.width, width);
  const std::vector<int64_t> rows = nearest_positions(image.height, height);
  for (int64_t y = 0; y < height; ++y) {
    if (rows[y] < 0) continue;
    const uint8_t* in = image.row(rows[y]);
    uint8_t* row = out.row(y);
    for (int64_t x = 0; x < width; ++x) {
      if (columns[x] >= 0) std::memcpy(row + x * kChannels, in + columns[x] * kChannels, kChannels);
    }
  }
  return out;
}

// Pillow shrinks images more than a hundred times as high as wide along y first, which rounds differently.
bool shrinks_a_tower(const RgbImage& image, int64_t height) {
  return image.height > image.width * 100 && height < image.height;
}

RgbImage resample(const RgbImage& image, int64_t width, int64_t height, const Filter& filter,
                  Rounding rounding) {
  const Axis vertical = plan_axis(image.height, height, filter, rounding);
  if (width == image.width) return resize_columns(image, 0, vertical);
  const Axis horizontal = plan_axis(image.width, width, filter, rounding);
  if (height == image.height) return resize_rows(image, 0, height, horizontal);
  if (rounding == Rounding::pillow && shrinks_a_tower(image, height)) {
    return resize_rows(resize_columns(image, 0, vertical), 0, height, horizontal);
  }
  const int64_t top = vertical.first.front();
  const int64_t bottom = vertical.first.back() + vertical.count.back();
  return resize_columns(resize_rows(image, top, bottom, horizontal), top, vertical);
}

void check_sizes(const RgbImage& image, int64_t width, int64_t height) {
  constexpr int64_t most = std::numeric_limits<int32_t>::max() / kChannels;
  if (width < 1 || height < 1 || width > most || height > most || image.width < 1 || image.height < 1) {
    throw Error(ErrorCode::internal,
                {.where = "resize",
                 .got = std::to_string(image.width) + "x" + std::to_string(image.height) + " to " +
                        std::to_string(width) + "x" + std::to_string(height),
                 .expected = "sizes of at least 1x1"});
  }
}

RgbImage resize_with(const RgbImage& image, int64_t width, int64_t height, Resample filter,
                     Rounding rounding) {
  check_sizes(image, width, height);
  if (width == image.width && height == image.height) return image;
  try {
    if (filter == Resample::nearest) return resize_nearest(image, width, height);
    return resample(image, width, height, filter_of(filter), rounding);
  } catch (const std::bad_alloc&) {
    throw Error(ErrorCode::resource, {.where = "resize",
                                      .got = "no memory for an image of " + std::to_string(width) + "x" +
                                             std::to_string(height) + " pixels"});
  }
}

}  // namespace

RgbImage resize(const RgbImage& image, int64_t width, int64_t height, Resample filter) {
  return resize_with(image, width, height, filter, Rounding::pillow);
}

RgbImage resize_as_torch(const RgbImage& image, int64_t width, int64_t height, Resample filter) {
  if (filter == Resample::nearest)
    throw Error(
        ErrorCode::internal,
        {.where = "resize_as_torch", .got = "nearest", .expected = "a filter that was checked at load"});
  return resize_with(image, width, height, filter, Rounding::torch);
}

}  // namespace galago
