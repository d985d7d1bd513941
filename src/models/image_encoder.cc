// See the header. Only bytes of all tiles of a picture exist at once; their floats are 4 times as many.
#include "models/image_encoder.h"

#include <algorithm>
#include <utility>

#include "core/cancelled.h"
#include "core/clock.h"

namespace galago {
namespace {

// Tiles [begin, begin + count) by themselves.
Tiles slice(const Tiles& tiles, int64_t begin, int64_t count) {
  const int64_t bytes = static_cast<int64_t>(tiles.pixels.size()) / tiles.count;
  Tiles part{.grid = tiles.grid, .count = count, .height = tiles.height, .width = tiles.width, .pixels = {}};
  part.pixels.assign(tiles.pixels.begin() + begin * bytes, tiles.pixels.begin() + (begin + count) * bytes);
  return part;
}

}  // namespace

std::vector<Tensor> ImageEncoder::encode(const Visuals& visuals, const PlannedPrompt& plan,
                                         Timings& timings) {
  done_ = 0;
  total_ = plan.tiles;
  std::vector<Tensor> rows;
  Clock clock;
  for (size_t i = 0; i < visuals.images.size(); ++i) {
    clock.lap_ms();
    const Tiles tiles = frontend_.tiles(*visuals.images[i], options_.split);
    timings.preprocess_ms += clock.lap_ms();
    rows.push_back(rows_of(tiles, Kind::image, plan.images[i], timings));
  }
  for (size_t i = 0; i < visuals.videos.size(); ++i) {
    clock.lap_ms();
    visuals.videos[i]->decode(plan.videos[i].frames, [&](int64_t, const RgbImage& frame) {
      timings.decode_image_ms += clock.lap_ms();
      const Tiles tile = frontend_.require_video().tile(frame);
      timings.preprocess_ms += clock.lap_ms();
      rows.push_back(rows_of(tile, Kind::frame, {}, timings));
      clock.lap_ms();
    });
  }
  return rows;
}

Tensor ImageEncoder::rows_of(const Tiles& tiles, Kind kind, const ImagePlan& plan, Timings& timings) {
  Tensor connected = connect(tiles, kind, timings);  // [N, T, D']
  const Clock clock;
  Tensor rows = engine_.image_rows(std::move(connected), plan);  // [R, D]
  timings.connector_ms += clock.ms();
  done_ += tiles.count;
  return rows;
}

// All tiles of a picture, [N, T, D'].
Tensor ImageEncoder::connect(const Tiles& tiles, Kind kind, Timings& timings) {
  const int64_t group = engine_.group_size();
  report(0);
  if (tiles.count <= group) {
    Tensor all = connect_group(tiles, kind, timings);
    report(tiles.count);
    return all;
  }
  Tensor all;
  for (int64_t begin = 0; begin < tiles.count; begin += group) {
    const int64_t count = std::min(group, tiles.count - begin);
    const Tensor part = connect_group(slice(tiles, begin, count), kind, timings);  // [count, T, D']
    if (all.empty()) all = Tensor({tiles.count, part.shape()[1], part.shape()[2]});
    std::copy_n(part.data(), part.size(), all.data() + begin * part.shape()[1] * part.shape()[2]);
    report(begin + count);
  }
  return all;
}

Tensor ImageEncoder::connect_group(const Tiles& group, Kind kind, Timings& timings) {
  Clock clock;
  const PixelBatch batch =
      kind == Kind::frame ? frontend_.require_video().pixels(group) : frontend_.pixels(group);
  timings.preprocess_ms += clock.lap_ms();
  const Tensor features = engine_.see(batch, workspace_, {});  // [n, P, C]
  timings.vision_ms += clock.lap_ms();
  Tensor connected = engine_.connect(features, workspace_);  // [n, T, D']
  timings.connector_ms += clock.lap_ms();
  return connected;
}

void ImageEncoder::report(int64_t done) const {
  if (options_.progress && !options_.progress(done_ + done, total_)) throw Cancelled{};
}

}  // namespace galago
