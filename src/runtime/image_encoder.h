// From pictures and frames to the decoder's rows. In: decoded pictures, videos, a planned prompt. Out: rows
// [R, D] for each picture and each frame that is seen. Floats of pixels and patches are held for one group of
// tiles at a time; equal tiles are encoded once; the next picture is made ready while the tower works.
#pragma once

#include <optional>
#include <vector>

#include "core/look_ahead.h"
#include "core/workspace.h"
#include "galago/options.h"
#include "models/engine.h"
#include "models/frontend.h"
#include "runtime/feature_cache.h"
#include "runtime/image_key.h"
#include "runtime/pipeline.h"

namespace galago {

/// What a request shows, in the order of the prompt.
struct Visuals {
  std::vector<const RgbImage*> images;
  std::vector<const VideoSource*> videos;
};

struct EncodeOptions {
  std::optional<bool> split;      ///< as Frontend::tiles
  TileProgress progress;          ///< counts the tiles of all pictures; false throws Cancelled
  FeatureCache* cache = nullptr;  ///< pictures seen before; null: none
};

/// What encoding adds to, also when it ends early.
struct EncodeCosts {
  Timings& timings;  ///< decoding frames, preprocessing, tower, connector
  CacheCounts& cache;
};

/// A picture or frame as the decoder reads it.
struct EncodedPicture {
  Digest key;       ///< equal keys of one model are equal rows
  SharedRows rows;  ///< [R, D]
};

/// Encodes what one request shows. Not thread-safe; frontend, engine and cache must outlive it.
class ImageEncoder {
 public:
  ImageEncoder(const Frontend& frontend, const Engine& engine, EncodeOptions options);

  /// The images, then the frames, in order. The errors of Frontend::tiles and VideoSource::decode, Cancelled.
  std::vector<EncodedPicture> encode(const Visuals& visuals, const PlannedPrompt& plan, EncodeCosts costs);

 private:
  // A picture that is known, or cut and waiting for the tower.
  struct Prepared {
    PictureKind kind;
    Digest key;
    SharedRows rows;  // null: not known
    Tiles tiles;      // when rows is null
    ImagePlan plan;
    Timings timings;  // of preparing it
    CacheCounts cache;
  };

  void prepare(const Visuals& visuals, const PlannedPrompt& plan, const Consume<Prepared>& give) const;
  Prepared prepare(const RgbImage& picture, PictureKind kind, const ImagePlan& plan) const;
  SharedRows rows_of(const Prepared& picture, EncodeCosts costs);
  Tensor connect(const Prepared& picture, EncodeCosts costs);
  Tensor connect_group(const Tiles& group, PictureKind kind, Timings& timings);
  void report(int64_t done) const;

  const Frontend& frontend_;
  const Engine& engine_;
  EncodeOptions options_;
  Workspace workspace_;
  FeatureMemory tiles_;  // [T, D'] of tiles of this request's pictures
  int64_t done_ = 0;     // tiles of the pictures before
  int64_t total_ = 0;    // tiles of all pictures
  bool several_ = false;
};

/// The rows of all pictures as views, for pack_prompt().
std::vector<ConstMatrix> views(const std::vector<EncodedPicture>& pictures);

}  // namespace galago
