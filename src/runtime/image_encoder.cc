// See the header. Of a whole picture only the tiles' bytes exist; their floats would be 4 times as many.
#include "runtime/image_encoder.h"

#include <algorithm>
#include <map>
#include <span>
#include <utility>

#include "core/cancelled.h"
#include "core/clock.h"
#include "kernels/kernels.h"

namespace galago {
namespace {

// Of connected tiles, kept while a request runs: a repeated frame or margin is usually a recent one.
constexpr int64_t kTileBytes = 64 << 20;

void add(const Timings& timings, const CacheCounts& cache, EncodeCosts costs) {
  costs.timings.decode_image_ms += timings.decode_image_ms;
  costs.timings.preprocess_ms += timings.preprocess_ms;
  costs.cache.memory_hits += cache.memory_hits;
  costs.cache.directory_hits += cache.directory_hits;
  costs.cache.misses += cache.misses;
}

size_t pictures_of(const PlannedPrompt& plan) {
  size_t count = plan.images.size();
  for (const VideoPlan& video : plan.videos) count += video.frames.size();
  return count;
}

// What a frame is to the engine: one tile.
ImagePlan frame_plan(const VideoPlan& video) {
  ImagePlan plan;
  plan.tiles = 1;
  plan.tokens = video.tokens / std::ssize(video.frames);
  return plan;
}

// The tiles with these numbers by themselves.
Tiles pick(const Tiles& tiles, std::span<const int64_t> which) {
  const int64_t bytes = std::ssize(tiles.pixels) / tiles.count;
  Tiles part{.grid = tiles.grid,
             .count = std::ssize(which),
             .height = tiles.height,
             .width = tiles.width,
             .pixels = {}};
  part.pixels.reserve(which.size() * static_cast<size_t>(bytes));
  for (const int64_t tile : which) {
    const auto begin = tiles.pixels.begin() + tile * bytes;
    part.pixels.insert(part.pixels.end(), begin, begin + bytes);
  }
  return part;
}

Tensor copy_of(ConstMatrix rows) {
  Tensor copy({rows.rows, rows.cols});
  std::copy_n(rows.data, copy.size(), copy.data());
  return copy;
}

// The connected tiles of one picture, [N, T, D'], filled tile by tile; T and D' are those of the first one.
class ConnectedTiles {
 public:
  explicit ConnectedTiles(int64_t tiles) : tiles_(tiles) {}

  // rows: [T, D'].
  void put(int64_t tile, ConstMatrix rows) {
    if (all_.empty()) all_ = Tensor({tiles_, rows.rows, rows.cols});
    std::copy_n(rows.data, rows.rows * rows.cols, all_.data() + tile * rows.rows * rows.cols);
  }
  ConstMatrix tile(int64_t tile) const {
    const int64_t rows = all_.shape()[1];
    return all_.matrix().slice_rows(tile * rows, rows);
  }
  Tensor take() { return std::move(all_); }

 private:
  int64_t tiles_;
  Tensor all_;
};

}  // namespace

ImageEncoder::ImageEncoder(const Frontend& frontend, const Engine& engine, EncodeOptions options)
    : frontend_(frontend), engine_(engine), options_(std::move(options)), tiles_(kTileBytes) {}

std::vector<EncodedPicture> ImageEncoder::encode(const Visuals& visuals, const PlannedPrompt& plan,
                                                 EncodeCosts costs) {
  done_ = 0;
  total_ = plan.tiles;
  std::vector<EncodedPicture> encoded;
  several_ = pictures_of(plan) > 1;
  look_ahead<Prepared>(
      several_ && kernels::threads() > 1,
      [&](const Consume<Prepared>& give) { prepare(visuals, plan, give); },
      [&](Prepared picture) {
        add(picture.timings, picture.cache, costs);
        report(0);
        encoded.push_back({picture.key, rows_of(picture, costs)});
        done_ += picture.plan.tiles;
      });
  return encoded;
}

// Everything that needs no weights, picture by picture; may run on a thread of its own.
void ImageEncoder::prepare(const Visuals& visuals, const PlannedPrompt& plan,
                           const Consume<Prepared>& give) const {
  for (size_t i = 0; i < visuals.images.size(); ++i)
    give(prepare(*visuals.images[i], PictureKind::image, plan.images[i]));
  for (size_t i = 0; i < visuals.videos.size(); ++i) {
    Clock clock;
    const ImagePlan frame_as = frame_plan(plan.videos[i]);
    visuals.videos[i]->decode(plan.videos[i].frames, [&](int64_t, const RgbImage& frame) {
      const double decode_ms = clock.ms();
      Prepared prepared = prepare(frame, PictureKind::frame, frame_as);
      prepared.timings.decode_image_ms = decode_ms;
      give(std::move(prepared));
      clock.lap_ms();
    });
  }
}

ImageEncoder::Prepared ImageEncoder::prepare(const RgbImage& picture, PictureKind kind,
                                             const ImagePlan& plan) const {
  const Clock clock;
  Prepared prepared{
      .kind = kind, .key = picture_key(picture, kind, options_.split), .tiles = {}, .plan = plan};
  if (options_.cache)
    prepared.rows = options_.cache->find(prepared.key, {plan.tokens, frontend_.config().text.hidden_size},
                                         prepared.cache);
  if (!prepared.rows)
    prepared.tiles = kind == PictureKind::frame ? frontend_.require_video().tile(picture)
                                                : frontend_.tiles(picture, options_.split);
  prepared.timings.preprocess_ms = clock.ms();
  return prepared;
}

SharedRows ImageEncoder::rows_of(const Prepared& picture, EncodeCosts costs) {
  if (picture.rows) {
    report(picture.plan.tiles);
    return picture.rows;
  }
  Tensor connected = connect(picture, costs);  // [N, T, D']
  const Clock clock;
  auto rows =
      std::make_shared<const Tensor>(engine_.image_rows(std::move(connected), picture.plan));  // [R, D]
  costs.timings.connector_ms += clock.ms();
  if (options_.cache) options_.cache->put(picture.key, rows, costs.cache);
  return rows;
}

// All tiles of a picture, [N, T, D']: those that are equal to another one of the request are copied.
Tensor ImageEncoder::connect(const Prepared& picture, EncodeCosts costs) {
  const Tiles& tiles = picture.tiles;
  Clock clock;
  const std::vector<Digest> keys = tile_keys(tiles, picture.kind);
  costs.timings.preprocess_ms += clock.ms();
  ConnectedTiles connected(tiles.count);
  std::map<Digest, int64_t> first;  // where a content stands first in this picture
  std::vector<int64_t> fresh;       // first tiles of a content that is new to the request
  for (int64_t i = 0; i < tiles.count; ++i) {
    const Digest& key = keys[static_cast<size_t>(i)];
    if (!first.try_emplace(key, i).second) continue;
    if (const SharedRows known = tiles_.find(key))
      connected.put(i, known->matrix());
    else
      fresh.push_back(i);
  }
  costs.cache.tiles_encoded += std::ssize(fresh);
  costs.cache.tiles_repeated += tiles.count - std::ssize(fresh);
  for (std::span<const int64_t> rest(fresh); !rest.empty();) {
    const auto group = rest.first(std::min(rest.size(), static_cast<size_t>(engine_.group_size())));
    const Tensor part = connect_group(pick(tiles, group), picture.kind, costs.timings);  // [n, T, D']
    const int64_t rows = part.shape()[1];
    for (int64_t i = 0; i < std::ssize(group); ++i)
      connected.put(group[static_cast<size_t>(i)], part.matrix().slice_rows(i * rows, rows));
    rest = rest.subspan(group.size());
    report(tiles.count - std::ssize(rest));
  }
  if (fresh.empty()) report(tiles.count);
  for (int64_t i = 0; i < tiles.count; ++i)
    if (const int64_t same = first.at(keys[static_cast<size_t>(i)]); same != i)
      connected.put(i, connected.tile(same));
  if (several_)
    for (const int64_t tile : fresh)
      tiles_.put(keys[static_cast<size_t>(tile)],
                 std::make_shared<const Tensor>(copy_of(connected.tile(tile))));
  return connected.take();
}

Tensor ImageEncoder::connect_group(const Tiles& group, PictureKind kind, Timings& timings) {
  Clock clock;
  const PixelBatch batch =
      kind == PictureKind::frame ? frontend_.require_video().pixels(group) : frontend_.pixels(group);
  timings.preprocess_ms += clock.lap_ms();
  const Tensor features = engine_.encode_image(batch, workspace_, {});  // [n, P, C]
  timings.vision_ms += clock.lap_ms();
  Tensor connected = engine_.connect(features, workspace_);  // [n, T, D']
  timings.connector_ms += clock.lap_ms();
  return connected;
}

void ImageEncoder::report(int64_t done) const {
  if (options_.progress && !options_.progress(done_ + done, total_)) throw Cancelled{};
}

std::vector<ConstMatrix> views(const std::vector<EncodedPicture>& pictures) {
  std::vector<ConstMatrix> rows;
  for (const EncodedPicture& picture : pictures) rows.push_back(picture.rows->matrix());
  return rows;
}

}  // namespace galago
