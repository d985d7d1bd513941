// From pictures and frames to the decoder's rows. In: decoded pictures, videos, a planned prompt. Out: one
// tensor [R, D] for each picture and each frame that is seen. Tiles are normalised and go through tower and
// connector group by group, so that floats of pixels and patches are held for one group at a time.
#pragma once

#include <optional>
#include <vector>

#include "core/workspace.h"
#include "galago/options.h"
#include "models/engine.h"
#include "models/frontend.h"
#include "models/pipeline.h"

namespace galago {

/// What a request shows, in the order of the prompt.
struct Visuals {
  std::vector<const RgbImage*> images;
  std::vector<const VideoSource*> videos;
};

struct EncodeOptions {
  std::optional<bool> split;  ///< as Frontend::tiles
  TileProgress progress;      ///< counts the tiles of all pictures; false throws Cancelled
};

/// Encodes what one request shows. Not thread-safe; frontend and engine must outlive it.
class ImageEncoder {
 public:
  ImageEncoder(const Frontend& frontend, const Engine& engine, EncodeOptions options)
      : frontend_(frontend), engine_(engine), options_(std::move(options)) {}

  /// The rows of the images, then those of the frames. Adds to the timings of decoding frames, preprocessing,
  /// tower and connector. The errors of Frontend::tiles and VideoSource::decode, Cancelled.
  std::vector<Tensor> encode(const Visuals& visuals, const PlannedPrompt& plan, Timings& timings);

 private:
  // Which pixels a picture's tiles become.
  enum class Kind { image, frame };

  Tensor rows_of(const Tiles& tiles, Kind kind, const ImagePlan& plan, Timings& timings);
  Tensor connect(const Tiles& tiles, Kind kind, Timings& timings);
  Tensor connect_group(const Tiles& group, Kind kind, Timings& timings);
  void report(int64_t done) const;

  const Frontend& frontend_;
  const Engine& engine_;
  EncodeOptions options_;
  Workspace workspace_;
  int64_t done_ = 0;   // tiles of the pictures before
  int64_t total_ = 0;  // tiles of all pictures
};

}  // namespace galago
