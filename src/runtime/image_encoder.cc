// See the header. Of a whole picture only the tiles' bytes exist; their floats would be 4 times as many.
#include "runtime/image_encoder.h"

#include <algorithm>
#include <span>
#include <utility>

#include "core/cancelled.h"
#include "core/clock.h"

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

Tensor copy_of(ConstMatrix rows, const kernels::Device& device) {
  Tensor copy({rows.rows, rows.cols}, device.memory());
  device.copy(rows, copy.matrix());
  return copy;
}

// What the cache keeps lies in the host's memory, what the decoder reads in the device's.
SharedRows on_host(const SharedRows& rows) {
  return rows->memory().is_host() ? rows : std::make_shared<const Tensor>(rows->copy());
}
SharedRows on_device(SharedRows rows, const kernels::Device& device) {
  if (!rows || &rows->memory() == &device.memory()) return rows;
  return std::make_shared<const Tensor>(device.on_device(rows->copy()));
}

// Tile `tile` of connected [N, T, D'].
Matrix tile_of(Tensor& connected, int64_t tile) {
  const int64_t rows = connected.shape()[1];
  return connected.matrix().slice_rows(tile * rows, rows);
}

// rows [T, D'] to their place among the N tiles; T and D' are those of the first one.
void put_tile(Tensor& connected, int64_t tiles, int64_t tile, ConstMatrix rows,
              const kernels::Device& device) {
  if (connected.empty()) connected = Tensor({tiles, rows.rows, rows.cols}, device.memory());
  device.copy(rows, tile_of(connected, tile));
}

}  // namespace

size_t pictures_of(const PlannedPrompt& plan) {
  size_t count = plan.images.size();
  for (const VideoPlan& video : plan.videos) count += video.frames.size();
  return count;
}

ImageEncoder::ImageEncoder(const Frontend& frontend, const Engine& engine, EncodeOptions options)
    : frontend_(frontend), engine_(engine), options_(std::move(options)), tiles_(kTileBytes) {}

std::vector<EncodedPicture> ImageEncoder::encode(const Visuals& visuals, const PlannedPrompt& plan,
                                                 EncodeCosts costs, const TileProgress& progress) {
  Workspace workspace(frontend_.device());
  std::vector<EncodedPicture> encoded;
  const auto report = [&] {
    if (progress && !progress(tiles_done(), plan.tiles)) throw Cancelled{};
  };
  prepare(visuals, plan, [&](PreparedPicture picture) {
    begin(std::move(picture), costs);
    report();
    while (busy()) {
      const int64_t before = tiles_done();
      if (auto done = encode_piece(workspace, costs)) encoded.push_back(std::move(*done));
      if (tiles_done() > before) report();
    }
  });
  return encoded;
}

void ImageEncoder::prepare(const Visuals& visuals, const PlannedPrompt& plan, const GivePicture& give) const {
  for (size_t i = 0; i < visuals.images.size(); ++i)
    give(prepare(*visuals.images[i], PictureKind::image, plan.images[i]));
  for (size_t i = 0; i < visuals.videos.size(); ++i) {
    Clock clock;
    const ImagePlan frame_as = frame_plan(plan.videos[i]);
    visuals.videos[i]->decode(plan.videos[i].frames, [&](int64_t, const RgbImage& frame) {
      const double decode_ms = clock.ms();
      PreparedPicture prepared = prepare(frame, PictureKind::frame, frame_as);
      prepared.timings.decode_image_ms = decode_ms;
      give(std::move(prepared));
      clock.lap_ms();
    });
  }
}

PreparedPicture ImageEncoder::prepare(const RgbImage& picture, PictureKind kind,
                                      const ImagePlan& plan) const {
  const Clock clock;
  PreparedPicture prepared{
      .kind = kind, .key = picture_key(picture, kind, plan.split), .tiles = {}, .keys = {}, .plan = plan};
  if (options_.cache)
    prepared.rows =
        on_device(options_.cache->find(prepared.key, row_shape(plan), prepared.cache), frontend_.device());
  if (!prepared.rows) {
    prepared.tiles = kind == PictureKind::frame ? frontend_.require_video().tile(picture)
                                                : frontend_.tiles(picture, plan.split);
    prepared.keys = tile_keys(prepared.tiles, kind);
  }
  prepared.timings.preprocess_ms = clock.ms();
  return prepared;
}

Shape ImageEncoder::row_shape(const ImagePlan& plan) const {
  return {plan.tokens, frontend_.config().text.hidden_size};
}

void ImageEncoder::begin(PreparedPicture picture, EncodeCosts costs) {
  if (!picture.rows && options_.cache)
    picture.rows = on_device(options_.cache->find_again(picture.key, row_shape(picture.plan), picture.cache),
                             frontend_.device());
  add(picture.timings, picture.cache, costs);
  current_.emplace(Current{});  // clang 14 finds no default constructor within the class
  Current& now = *current_;
  now.picture = std::move(picture);
  if (now.picture.rows) return;
  const int64_t tiles = now.picture.tiles.count;
  for (int64_t i = 0; i < tiles; ++i) {
    const Digest& key = now.picture.keys[static_cast<size_t>(i)];
    if (!now.first.try_emplace(key, i).second) continue;
    if (const SharedRows known = tiles_.find(key))
      put_tile(now.connected, tiles, i, known->matrix(), frontend_.device());
    else
      now.fresh.push_back(i);
  }
  costs.cache.tiles_encoded += std::ssize(now.fresh);
  costs.cache.tiles_repeated += tiles - std::ssize(now.fresh);
}

std::optional<EncodedPicture> ImageEncoder::encode_piece(Workspace& workspace, EncodeCosts costs) {
  Current& now = *current_;
  if (!now.picture.rows) {
    if (now.encoded < now.fresh.size()) encode_step(workspace, costs.timings);
    now.tiles_done = now.picture.tiles.count - (std::ssize(now.fresh) - static_cast<int64_t>(now.encoded));
    if (now.encoded < now.fresh.size()) return std::nullopt;
  }
  EncodedPicture done{.key = now.picture.key,
                      .rows = now.picture.rows ? now.picture.rows : finish_rows(costs)};
  done_ += now.picture.plan.tiles;
  current_.reset();
  return done;
}

// The next group of those that are new goes into the tower.
void ImageEncoder::start_group(Timings& timings) {
  Current& now = *current_;
  const auto rest = std::span<const int64_t>(now.fresh).subspan(now.encoded);
  auto group = std::make_unique<Group>();
  group->tiles = rest.first(std::min(rest.size(), static_cast<size_t>(engine_.group_size())));
  const Tiles tiles = pick(now.picture.tiles, group->tiles);
  const Clock clock;
  group->batch = now.picture.kind == PictureKind::frame ? frontend_.require_video().pixels(tiles)
                                                        : frontend_.pixels(tiles);
  timings.preprocess_ms += clock.ms();
  group->pass = engine_.start_image(group->batch, frontend_.device().memory());
  now.group = std::move(group);
}

// One step of the tower; after its last one, the connector.
void ImageEncoder::encode_step(Workspace& workspace, Timings& timings) {
  Current& now = *current_;
  if (!now.group) start_group(timings);
  Clock clock;
  const bool more = now.group->pass->step(workspace);
  timings.vision_ms += clock.lap_ms();
  if (more) return;
  Tensor connected = engine_.connect(now.group->pass->take(), workspace);  // [n, P, C] to [n, T, D']
  const int64_t rows = connected.shape()[1];
  const auto tiles = now.group->tiles;
  for (int64_t i = 0; i < std::ssize(tiles); ++i)
    put_tile(now.connected, now.picture.tiles.count, tiles[static_cast<size_t>(i)],
             connected.matrix().slice_rows(i * rows, rows), frontend_.device());
  timings.connector_ms += clock.lap_ms();
  now.encoded += tiles.size();
  now.group.reset();
}

// Copies of equal tiles, then the picture's rows [R, D].
SharedRows ImageEncoder::finish_rows(EncodeCosts costs) {
  Current& now = *current_;
  const PreparedPicture& picture = now.picture;
  for (int64_t i = 0; i < picture.tiles.count; ++i)
    if (const int64_t same = now.first.at(picture.keys[static_cast<size_t>(i)]); same != i)
      put_tile(now.connected, picture.tiles.count, i, tile_of(now.connected, same), frontend_.device());
  if (options_.several)
    for (const int64_t tile : now.fresh)
      tiles_.put(picture.keys[static_cast<size_t>(tile)],
                 std::make_shared<const Tensor>(copy_of(tile_of(now.connected, tile), frontend_.device())));
  const Clock clock;
  auto rows = std::make_shared<const Tensor>(engine_.image_rows(std::move(now.connected), picture.plan));
  costs.timings.connector_ms += clock.ms();
  if (options_.cache) options_.cache->put(picture.key, on_host(rows), costs.cache);
  return rows;
}

std::vector<ConstMatrix> views(const std::vector<EncodedPicture>& pictures) {
  std::vector<ConstMatrix> rows;
  for (const EncodedPicture& picture : pictures) rows.push_back(picture.rows->matrix());
  return rows;
}

}  // namespace galago
