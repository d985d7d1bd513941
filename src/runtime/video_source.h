// Between the public API's videos and what they are made of, for rooms that read videos in their own way.
#pragma once

#include <memory>

#include "galago/galago.h"
#include "image/video.h"

namespace galago {

/// A video that takes its frames from `source`.
Video video_of(std::shared_ptr<const VideoSource> source);
const std::shared_ptr<const VideoSource>& source_of(const Video& video);

}  // namespace galago
