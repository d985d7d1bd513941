// Which frames of a video the model sees, and how a frame becomes a tile. In: facts or RGB8. Out: indices,
// bytes, floats. Arithmetic is Python's and numpy's: double, round half to even, int() truncates.
// Reference: transformers 5.18 video_processing_smolvlm.py (sample_frames, resize), numpy linspace,
// image_processing_backends.py (rescale_and_normalize).
#include <algorithm>
#include <array>
#include <cmath>
#include <numeric>

#include "core/limits.h"
#include "galago/error.h"
#include "image/resize.h"
#include "image/video.h"

namespace galago {
namespace {

constexpr int64_t kChannels = 3;
constexpr double kSkippedSeconds = 1;  // at both ends of a long video
constexpr int64_t kScaledEdge = 4096;  // no frame is scaled beyond it

// As numpy.linspace(first, last, count, dtype=int) without repetitions.
std::vector<int64_t> evenly_spaced(int64_t first, int64_t last, int64_t count) {
  std::vector<int64_t> places;
  const auto span = static_cast<double>(last - first);
  const double step = count > 1 ? span / static_cast<double>(count - 1) : 0;
  for (int64_t i = 0; i < count; ++i) {
    const double at = static_cast<double>(i) * step + static_cast<double>(first);
    places.push_back(count > 1 && i == count - 1 ? last : static_cast<int64_t>(std::floor(at)));
  }
  places.erase(std::unique(places.begin(), places.end()), places.end());
  return places;
}

// The longest edge becomes `edge`, the other keeps the shape and is made even.
ImageSize scale_to_edge(ImageSize size, int64_t edge) {
  edge = std::min(edge, kScaledEdge);
  const double ratio = static_cast<double>(size.width) / static_cast<double>(size.height);
  if (size.width >= size.height) {
    const auto height = static_cast<int64_t>(static_cast<double>(edge) / ratio);
    return {edge, std::max<int64_t>(height + height % 2, 1)};
  }
  const auto width = static_cast<int64_t>(static_cast<double>(edge) * ratio);
  return {std::max<int64_t>(width + width % 2, 1), edge};
}

// The float of every byte value in one channel. The reference folds the rescaling into mean and std.
void float_of_byte(const PixelScaling& scaling, int64_t channel, float* table) {
  auto mean = static_cast<float>(scaling.image_mean[channel]);
  auto deviation = static_cast<float>(scaling.image_std[channel]);
  if (scaling.do_rescale && scaling.do_normalize) {
    const auto whole = static_cast<float>(1.0 / scaling.rescale_factor);
    mean *= whole;
    deviation *= whole;
  }
  for (int value = 0; value < 256; ++value) {
    auto pixel = static_cast<float>(value);
    if (scaling.do_normalize)
      pixel = (pixel - mean) / deviation;
    else if (scaling.do_rescale)
      pixel *= static_cast<float>(scaling.rescale_factor);
    table[value] = pixel;
  }
}

}  // namespace

std::vector<int64_t> sample_frames(const VideoFacts& video, const VideoConfig& config) {
  if (!config.num_frames || !config.fps) {
    if (video.frames > limits::kSampledFrames)
      throw Error(ErrorCode::input_too_large,
                  {.where = "video",
                   .got = std::to_string(video.frames) + " frames",
                   .expected = "at most " + std::to_string(limits::kSampledFrames) +
                               ": this model's settings do not sample"});
    std::vector<int64_t> all(static_cast<size_t>(video.frames));
    std::iota(all.begin(), all.end(), 0);
    return all;
  }
  const double wanted = std::nearbyint(*config.fps * video.duration);
  const auto most = static_cast<double>(*config.num_frames);
  const auto count = static_cast<int64_t>(std::max(1.0, std::min(wanted, most)));
  int64_t first = 0;
  int64_t last = video.frames - 1;
  if (video.duration - 2 * kSkippedSeconds > most * *config.fps) {
    first = static_cast<int64_t>(kSkippedSeconds * video.fps);
    last = static_cast<int64_t>(static_cast<double>(video.frames) - kSkippedSeconds * video.fps);
  }
  last = std::min(last, video.frames - 1);
  if (first >= last) {
    first = 0;
    last = video.frames - 1;
  }
  return evenly_spaced(first, last, count);
}

Tiles make_frame_tile(const RgbImage& frame, const VideoConfig& config, const kernels::Device& device) {
  const ImageSize size{frame.width, frame.height};
  const int64_t side = config.max_image_size_longest_edge;
  Tiles tile{.grid = {}, .count = 1, .height = side, .width = side, .pixels = {}};
  tile.pixels.resize(kChannels * side * side);
  ResizeChain(size)
      .then(scale_to_edge(size, config.size_longest_edge), config.resample, Resizer::torch)
      .then({side, side}, config.resample, Resizer::torch)
      .run(frame, {tile.pixels.data(), PictureLayout::planar(side, side)}, device);
  return tile;
}

Tensor normalise_frame(const Tiles& tile, const PixelScaling& scaling, const kernels::Device& device) {
  Tensor floats({tile.count, kChannels, tile.height, tile.width});
  std::array<float, kChannels * 256> tables;
  for (int64_t channel = 0; channel < kChannels; ++channel)
    float_of_byte(scaling, channel, tables.data() + channel * 256);
  device.look_up(tile.pixels, tile.height * tile.width, tables, floats.data());
  return floats;
}

}  // namespace galago
