// What stands behind the public API's handles: a decoded picture, a video's source, a loaded model.
#pragma once

#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "galago/galago.h"
#include "image/video.h"
#include "models/engine.h"
#include "models/frontend.h"
#include "models/weight_formats.h"
#include "runtime/feature_cache.h"
#include "runtime/prefix_index.h"
#include "structured/doctags_vocabulary.h"
#include "structured/grammar.h"

namespace galago {

class RequestScheduler;

struct Image::Data {
  RgbImage rgb;
  double decode_ms = 0;
};

struct Video::Data {
  std::shared_ptr<const VideoSource> source;

  static Video video(std::shared_ptr<const VideoSource> source) {
    return Video(std::make_shared<Data>(Data{std::move(source)}));
  }
};

struct Model::State {
  State();
  ~State();

  Checkpoint checkpoint;  // first: the engine reads its memory maps
  std::unique_ptr<const Frontend> frontend;
  std::unique_ptr<const Engine> engine;
  std::unique_ptr<FeatureCache> image_cache;  // its own locks
  LoadOptions options;
  std::shared_ptr<KvPages> pages;                    // of all its schedulers; each counts its own
  std::unique_ptr<PrefixIndex> prefixes;             // null: off
  std::shared_ptr<const DocTagsVocabulary> doctags;  // null: it has none
  std::unique_ptr<GrammarCompiler> grammars;         // its own locks
  std::vector<std::string> warnings;
  double load_ms = 0;
  mutable std::once_flag digest_made;
  mutable std::string digest;                   // of Model::digest, once it was asked for
  std::unique_ptr<RequestScheduler> scheduler;  // of ask and ask_all; last: its requests refer to the others

  /// The element type of the decoder's cache.
  DType cache_dtype() const { return galago::cache_dtype(options.kv_cache_dtype); }
  /// A request's pictures are rows now: what LoadOptions::low_memory does.
  void done_with_pictures() const;
};

}  // namespace galago
