// From pictures and frames to the decoder's rows. In: decoded pictures, videos, a planned prompt. Out: rows
// [R, D] for each picture and each frame that is seen. Floats of pixels and patches are held for one group of
// tiles at a time; equal tiles are encoded once.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "galago/options.h"
#include "kernels/workspace.h"
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
  FeatureCache* cache = nullptr;  ///< pictures seen before; null: none
  bool several = false;           ///< pictures or frames: tiles are remembered from one to the next
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

/// A picture that is known, or cut and waiting for the tower.
struct PreparedPicture {
  PictureKind kind = PictureKind::image;
  Digest key{};
  SharedRows rows;           ///< null: not known
  Tiles tiles;               ///< when rows is null
  std::vector<Digest> keys;  ///< of the tiles
  ImagePlan plan;
  Timings timings;  ///< of preparing it
  CacheCounts cache;
};

/// Takes pictures; may throw to say that it wants no more.
using GivePicture = std::function<void(PreparedPicture)>;

/// Encodes what one request shows, a piece at a time. Not thread-safe, but for prepare(); frontend,
/// engine and cache must outlive it.
class ImageEncoder {
 public:
  ImageEncoder(const Frontend& frontend, const Engine& engine, EncodeOptions options);

  /// Everything that needs no weights: the images, then the frames, in order. May run on a thread of its own
  /// while pictures that it gave are encoded. The errors of Frontend::tiles and VideoSource::decode.
  void prepare(const Visuals& visuals, const PlannedPrompt& plan, const GivePicture& give) const;

  /// The next picture; the one before must be done.
  void begin(PreparedPicture picture, EncodeCosts costs);
  /// Whether a picture was begun and is not done.
  bool busy() const { return current_.has_value(); }
  /// One piece of work on it, a layer of the tower on a group of tiles; the picture when that was the last.
  std::optional<EncodedPicture> encode_piece(Workspace& workspace, EncodeCosts costs);
  /// Tiles so far, of all pictures.
  int64_t tiles_done() const { return done_ + (current_ ? current_->tiles_done : 0); }

  /// All of it on this thread. Cancelled when `progress` says so.
  std::vector<EncodedPicture> encode(const Visuals& visuals, const PlannedPrompt& plan, EncodeCosts costs,
                                     const TileProgress& progress = {});

 private:
  // Tiles on their way through the tower.
  struct Group {
    std::span<const int64_t> tiles;  // their numbers, of Current::fresh
    PixelBatch batch;
    std::unique_ptr<FeaturePass> pass;  // over the batch
  };
  // The picture that is being encoded.
  struct Current {
    PreparedPicture picture;
    Tensor connected;                 // [N, T, D'], filled tile by tile
    std::map<Digest, int64_t> first;  // where a content stands first in this picture
    std::vector<int64_t> fresh;       // first tiles of a content that is new to the request
    size_t encoded = 0;               // of them
    std::unique_ptr<Group> group;     // of them, in the tower; null: none
    int64_t tiles_done = 0;
  };

  PreparedPicture prepare(const RgbImage& picture, PictureKind kind, const ImagePlan& plan) const;
  Shape row_shape(const ImagePlan& plan) const;  // [R, D] of a picture
  void start_group(Timings& timings);
  void encode_step(Workspace& workspace, Timings& timings);
  SharedRows finish_rows(EncodeCosts costs);

  const Frontend& frontend_;
  const Engine& engine_;
  EncodeOptions options_;
  FeatureMemory tiles_;  // [T, D'] of tiles of this request's pictures
  std::optional<Current> current_;
  int64_t done_ = 0;  // tiles of the pictures before
};

/// Images and frames that a prompt shows.
size_t pictures_of(const PlannedPrompt& plan);

/// The rows of all pictures as views, for pack_prompt().
std::vector<ConstMatrix> views(const std::vector<EncodedPicture>& pictures);

}  // namespace galago
