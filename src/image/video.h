// Videos as the engine sees them: frames in order at a steady rate, decoded only when they are wanted.
// In: an animated GIF or WebP file, a folder of pictures, or pictures. Out: facts, sampled frames, one tile
// for each. Reference: transformers 5.18 SmolVLMVideoProcessor and VideoMetadata.
#pragma once

#include <filesystem>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "formats/config/config.h"
#include "image/animation.h"
#include "image/image.h"
#include "image/preprocess.h"

namespace galago {

/// What is known of a video before a frame is decoded.
struct VideoFacts {
  ImageSize size;       ///< of every frame
  int64_t frames = 0;   ///< at least 1
  double fps = 0;       ///< frame i is shown at i / fps seconds
  double duration = 0;  ///< seconds
};

/// Const and thread-safe.
class VideoSource {
 public:
  virtual ~VideoSource() = default;

  const VideoFacts& facts() const { return facts_; }
  /// Hands out the frames with these indices (ascending). Error{input_invalid} when a frame has another size
  /// than the first; the errors of decode_image and decode_animation.
  virtual void decode(std::span<const int64_t> wanted, const TakeFrame& take) const = 0;

 protected:
  VideoFacts facts_;
};

/// An animated GIF or WebP file, or a folder of pictures in the order of their names. fps is needed for a
/// folder; for a file it replaces the file's own times. An animation's frames are taken to be evenly spaced,
/// as the reference does; one that says no time lasts 100 ms. Errors: not_found, usage (fps missing or
/// outside 0..limits::kVideoFps), those of read_animation; input_too_large over limits::kVideoFrames.
std::shared_ptr<const VideoSource> open_video(const std::filesystem::path& path, std::optional<double> fps);
/// The same for an animation that is held in memory; `where` names it in errors.
std::shared_ptr<const VideoSource> animation_of_bytes(std::string bytes, const std::string& where,
                                                      std::optional<double> fps);
/// Error{input_invalid} for no frames or frames of several sizes; Error{usage} for fps.
std::shared_ptr<const VideoSource> video_of_frames(std::vector<std::shared_ptr<const RgbImage>> frames,
                                                   double fps);

/// The indices of the frames that the model sees, ascending. Without sampling settings: all of them;
/// Error{input_too_large} when these are more than limits::kSampledFrames.
std::vector<int64_t> sample_frames(const VideoFacts& video, const VideoConfig& config);

/// A frame as one tile: scaled so that its longest edge is size_longest_edge, then squeezed into the square.
Tiles make_frame_tile(const RgbImage& frame, const VideoConfig& config, const kernels::Device& device);
/// normalise() with the rounding of torch in the reference: (x - mean * 255) / (std * 255), in float.
Tensor normalise_frame(const Tiles& tile, const PixelScaling& scaling, const kernels::Device& device);

}  // namespace galago
