// The part of a frontend that reads videos, for the families that have one. In: facts of videos, frames. Out:
// which frames are seen, their tiles and pixels, and the prompt's text around them.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "image/preprocess.h"
#include "image/video.h"
#include "nn/vision/adapter.h"
#include "text/prompt/chat_template.h"
#include "text/segment.h"

namespace galago {

/// What one video becomes.
struct VideoPlan {
  VideoFacts facts;
  std::vector<int64_t> frames;  ///< indices of those that are seen; each is one tile
  std::vector<double> seconds;  ///< when each of them is shown
  int64_t tokens = 0;           ///< image tokens in the prompt, of all frames
};

/// Const and thread-safe.
class VideoFrontend {
 public:
  virtual ~VideoFrontend() = default;

  /// Touches no pixels.
  virtual VideoPlan plan(const VideoFacts& video) const = 0;
  /// One frame as a tile of bytes, and the tile as the tower's pixels.
  virtual Tiles tile(const RgbImage& frame) const = 0;
  virtual PixelBatch pixels(const Tiles& tile) const = 0;
  /// The template of prompts with videos.
  virtual const ChatTemplate& chat_template() const = 0;
  /// The video placeholders written out.
  virtual Segments expand(const Segments& rendered, std::span<const VideoPlan> videos,
                          bool parse_special) const = 0;
};

}  // namespace galago
