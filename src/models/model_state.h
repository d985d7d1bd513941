// What stands behind the public API's handles: a decoded picture, a video's source, a loaded model.
#pragma once

#include <memory>

#include "galago/galago.h"
#include "image/video.h"
#include "models/engine.h"
#include "models/frontend.h"

namespace galago {

struct Image::Data {
  RgbImage rgb;
  double decode_ms = 0;
};

struct Video::Data {
  std::shared_ptr<const VideoSource> source;
};

struct Model::State {
  Checkpoint checkpoint;  // first: the engine reads its memory maps
  std::unique_ptr<const Frontend> frontend;
  std::unique_ptr<const Engine> engine;
  double load_ms = 0;
};

}  // namespace galago
