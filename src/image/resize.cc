// Pillow's separable 8-bit resampling. In: RGB8. Out: RGB8 of another size, the same bytes as Pillow.
// Filter weights are computed in double, normalised to sum 1 and rounded to 22 fractional bits (torch: to
// fewer, so that they fit 16 bits); each pass sums in int32, adds one half, shifts and clips to a byte. This
// file plans, the order of the passes too; Device::resample does them. Reference: Pillow 13.0 and 12.3
// Image.resize, libImaging/Resample.c and, for nearest, the scale transform of Geometry.c.
#include "image/resize.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <new>
#include <numbers>

#include "core/checked.h"
#include "galago/error.h"

namespace galago {
namespace {

constexpr int kPrecisionBits = 32 - 8 - 2;
struct Filter {
  double (*weight)(double);
  double support;  // the weight is zero beyond this distance
};

// Not symmetric: of two pixels at the same distance the right one counts.
double box(double x) { return x > -0.5 && x <= 0.5 ? 1.0 : 0.0; }

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

double hamming(double x) {
  x = std::abs(x);
  if (x == 0.0) return 1.0;
  if (x >= 1.0) return 0.0;
  x *= std::numbers::pi;
  return std::sin(x) / x * (0.54F + 0.46F * std::cos(x));  // single-precision constants in the reference
}

double lanczos(double x) { return -3.0 <= x && x < 3.0 ? sinc(x) * sinc(x / 3) : 0.0; }

Filter filter_of(Resample resample) {
  switch (resample) {
    case Resample::box:
      return {box, 0.5};
    case Resample::hamming:
      return {hamming, 1.0};
    case Resample::bilinear:
      return {bilinear, 1.0};
    case Resample::bicubic:
      return {bicubic, 2.0};
    default:
      return {lanczos, 3.0};
  }
}

int32_t to_fixed(double weight, int bits) {
  const double scaled = weight * (1 << bits);
  return static_cast<int32_t>(weight < 0 ? scaled - 0.5 : scaled + 0.5);
}

// The most bits after the point with which the largest weight still fits a signed 16-bit number.
int bits_for_torch(double largest) {
  int bits = 0;
  while (bits < kPrecisionBits && static_cast<int>(0.5 + largest * (1 << (bits + 1))) < (1 << 15)) ++bits;
  return bits;
}

// first + count of every pixel lie within the axis: both are cut to it.
kernels::ResampleAxis plan_filter(int64_t in, int64_t out, const Filter& filter, Resizer resizer) {
  const double scale = static_cast<double>(in) / static_cast<double>(out);
  const double stretch = std::max(scale, 1.0);  // when shrinking, the filter widens
  const double support = filter.support * stretch;
  const double inverse = 1.0 / stretch;

  kernels::ResampleAxis axis;
  axis.in = in;
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
  axis.bits = kPrecisionBits;
  if (resizer == Resizer::torch) axis.bits = bits_for_torch(*std::max_element(exact.begin(), exact.end()));
  for (size_t i = 0; i < exact.size(); ++i) axis.weights[i] = to_fixed(exact[i], axis.bits);
  return axis;
}

// Every pixel is one of the input's, weight 1. Positions are accumulated in double, as the reference does, so
// the last ones may fall outside; these pixels are the sum of nothing, black.
kernels::ResampleAxis plan_nearest(int64_t in, int64_t out) {
  kernels::ResampleAxis axis;
  axis.in = in;
  axis.taps = 1;
  axis.bits = kPrecisionBits;
  axis.weights.assign(static_cast<size_t>(out), 1 << kPrecisionBits);
  const double step = static_cast<double>(in) / static_cast<double>(out);
  double at = step * 0.5;
  for (int64_t i = 0; i < out; ++i, at += step) {
    const int64_t position = std::min(static_cast<int64_t>(at), in);
    axis.first.push_back(static_cast<int32_t>(position));
    axis.count.push_back(position < in ? 1 : 0);
  }
  return axis;
}

kernels::ResampleAxis plan_axis(int64_t in, int64_t out, Resample filter, Resizer resizer) {
  if (filter == Resample::nearest) return plan_nearest(in, out);
  return plan_filter(in, out, filter_of(filter), resizer);
}

// Whether the pass along y comes first, which rounds differently: where the height loses more than twice what
// the width does, so that the other pass has less to do; in Pillow 12 only for a picture more than a hundred
// times as high as wide. Nearest rounds nothing.
bool vertical_first(ImageSize from, ImageSize to, Resizer resizer) {
  const int64_t lost = from.height - to.height;
  if (resizer == Resizer::torch || lost <= 0) return false;
  if (resizer == Resizer::pillow12) return from.height > from.width * 100;
  return lost > (from.width - to.width) * 2;
}

std::string text_of(ImageSize size) { return std::to_string(size.width) + "x" + std::to_string(size.height); }

void check_sizes(ImageSize from, ImageSize to) {
  constexpr int64_t most = std::numeric_limits<int32_t>::max() / 3;
  const auto within = [](ImageSize size) {
    return size.width >= 1 && size.height >= 1 && size.width <= most && size.height <= most;
  };
  if (within(from) && within(to)) return;
  throw Error(
      ErrorCode::internal,
      {.where = "resize", .got = text_of(from) + " to " + text_of(to), .expected = "sizes of at least 1x1"});
}

[[noreturn]] void throw_no_memory(ImageSize size) {
  throw Error(ErrorCode::resource,
              {.where = "resize", .got = "no memory for an image of " + text_of(size) + " pixels"});
}

}  // namespace

ResizeChain& ResizeChain::then(ImageSize to, Resample filter, Resizer resizer) {
  check_sizes(size_, to);
  const bool in_torch =
      filter == Resample::lanczos || filter == Resample::bilinear || filter == Resample::bicubic;
  if (resizer == Resizer::torch && !in_torch)
    throw Error(ErrorCode::internal, {.where = "resize",
                                      .got = "filter " + std::to_string(static_cast<int>(filter)),
                                      .expected = "a filter that was checked at load"});
  const auto add = [&](kernels::Direction direction, int64_t from, int64_t length) {
    if (from != length) passes_.push_back({direction, plan_axis(from, length, filter, resizer)});
  };
  try {
    const bool vertical = vertical_first(size_, to, resizer);
    if (vertical) add(kernels::Direction::along_y, size_.height, to.height);
    add(kernels::Direction::along_x, size_.width, to.width);
    if (!vertical) add(kernels::Direction::along_y, size_.height, to.height);
  } catch (const std::bad_alloc&) {
    throw_no_memory(to);
  }
  size_ = to;
  return *this;
}

void ResizeChain::run(const ConstPicture& in, const Picture& out, const kernels::Device& device) const {
  std::vector<kernels::ResamplePass> passes;
  for (const Pass& pass : passes_) passes.push_back({pass.direction, &pass.axis});
  try {
    device.resample(in, passes, out);
  } catch (const std::bad_alloc&) {
    throw_no_memory(size_);
  }
}

void ResizeChain::run(const RgbImage& image, const Picture& out, const kernels::Device& device) const {
  run({image.pixels.data(), PictureLayout::interleaved(image.height, image.width)}, out, device);
}

RgbImage resize(const RgbImage& image, ImageSize to, Resample filter, Resizer resizer,
                const kernels::Device& device) {
  ResizeChain chain({image.width, image.height});
  chain.then(to, filter, resizer);
  if (to.width == image.width && to.height == image.height) return image;
  RgbImage out{.width = to.width, .height = to.height, .pixels = {}};
  try {
    const auto bytes = checked_mul(to.width * 3, to.height);
    if (!bytes) throw std::bad_alloc();
    out.pixels.resize(*bytes);
  } catch (const std::bad_alloc&) {
    throw_no_memory(to);
  }
  chain.run(image, {out.pixels.data(), PictureLayout::interleaved(to.height, to.width)}, device);
  return out;
}

}  // namespace galago
