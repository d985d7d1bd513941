// The kernels over bytes at the sizes of a photo of 640x488 pixels in SmolVLM-256M: each pass alone, the
// whole way to 16 tiles and to the global one, and bytes to floats. In: --threads=N. Out: multiply-adds and
// bytes a second.
#include <benchmark/benchmark.h>

#include <cmath>

#include "bench_device.h"
#include "kernels/kernels.h"

namespace galago::kernels {
namespace {

using benchmark::Counter;
using benchmark::State;

constexpr int64_t kPhotoWidth = 640, kPhotoHeight = 488, kScaledHeight = 1562, kEdge = 2048, kTile = 512;

/// Windows of the Lanczos filter's reach, with weights that sum to one.
ResampleAxis lanczos_like(int64_t in, int64_t out) {
  ResampleAxis axis;
  axis.in = in;
  const double scale = static_cast<double>(in) / static_cast<double>(out);
  const double reach = 3 * std::max(scale, 1.0);
  axis.taps = 2 * static_cast<int64_t>(std::ceil(reach)) + 1;
  for (int64_t i = 0; i < out; ++i) {
    const double center = (static_cast<double>(i) + 0.5) * scale;
    const auto begin = std::max<int64_t>(static_cast<int64_t>(center - reach + 0.5), 0);
    const auto end = std::min<int64_t>(static_cast<int64_t>(center + reach + 0.5), in);
    axis.first.push_back(static_cast<int32_t>(begin));
    axis.count.push_back(static_cast<int32_t>(end - begin));
    for (int64_t k = 0; k < axis.taps; ++k)
      axis.weights.push_back(k < end - begin ? static_cast<int32_t>((1 << axis.bits) / (end - begin)) : 0);
  }
  return axis;
}

std::vector<uint8_t> bytes_for(const PictureLayout& layout) {
  std::vector<uint8_t> bytes(static_cast<size_t>(layout.height * layout.width * 3));
  for (size_t i = 0; i < bytes.size(); ++i) bytes[i] = static_cast<uint8_t>(i * 7 + i / 13);
  return bytes;
}

void run(State& state, const PictureLayout& from, std::span<const ResamplePass> passes,
         const PictureLayout& to) {
  const std::vector<uint8_t> in = bytes_for(from);
  std::vector<uint8_t> out = bytes_for(to);
  double products = 0, width = static_cast<double>(from.width), height = static_cast<double>(from.height);
  for (const ResamplePass& pass : passes) {
    double taps = 0;
    for (const int32_t count : pass.axis->count) taps += count;
    const bool along_x = pass.direction == Direction::along_x;
    products += 3 * taps * (along_x ? height : width);
    (along_x ? width : height) = static_cast<double>(pass.axis->out());
  }
  for (auto _ : state) device->resample({in.data(), from}, passes, {out.data(), to});
  const auto runs = static_cast<double>(state.iterations());
  state.counters["products/s"] = Counter(products * runs, Counter::kIsRate);
  state.counters["B/s"] = Counter(static_cast<double>(in.size() + out.size()) * runs, Counter::kIsRate);
}

void resample_along_x(State& state) {
  const ResampleAxis x = lanczos_like(kPhotoWidth, kEdge);
  run(state, PictureLayout::planar(kPhotoHeight, kPhotoWidth),
      std::vector{ResamplePass{Direction::along_x, &x}}, PictureLayout::planar(kPhotoHeight, kEdge));
}

void resample_along_y(State& state) {
  const ResampleAxis y = lanczos_like(kPhotoHeight, kScaledHeight);
  run(state, PictureLayout::planar(kPhotoHeight, kEdge), std::vector{ResamplePass{Direction::along_y, &y}},
      PictureLayout::planar(kScaledHeight, kEdge));
}

void resample_photo_to_tiles(State& state) {
  const ResampleAxis x = lanczos_like(kPhotoWidth, kEdge), y = lanczos_like(kPhotoHeight, kScaledHeight),
                     snap = lanczos_like(kScaledHeight, kEdge);
  run(state, PictureLayout::interleaved(kPhotoHeight, kPhotoWidth),
      std::vector<ResamplePass>{
          {Direction::along_x, &x}, {Direction::along_y, &y}, {Direction::along_y, &snap}},
      PictureLayout::tiled(kEdge / kTile, kEdge / kTile, kTile, kTile));
}

void resample_global_tile(State& state) {
  const ResampleAxis axis = lanczos_like(kEdge, kTile);
  run(state, PictureLayout::tiled(kEdge / kTile, kEdge / kTile, kTile, kTile),
      std::vector<ResamplePass>{{Direction::along_x, &axis}, {Direction::along_y, &axis}},
      PictureLayout::planar(kTile, kTile));
}

void look_up_tile(State& state) {
  const std::vector<uint8_t> in = bytes_for(PictureLayout::planar(kTile, kTile));
  const std::vector<float> tables(3 * 256, 0.5f);
  std::vector<float> out(in.size());
  for (auto _ : state) device->look_up(in, kTile * kTile, tables, out.data());
  state.counters["B/s"] = Counter(static_cast<double>(in.size() * 5 * state.iterations()), Counter::kIsRate);
}

BENCHMARK(resample_along_x)->UseRealTime()->MeasureProcessCPUTime();
BENCHMARK(resample_along_y)->UseRealTime()->MeasureProcessCPUTime();
BENCHMARK(resample_photo_to_tiles)->UseRealTime()->MeasureProcessCPUTime();
BENCHMARK(resample_global_tile)->UseRealTime()->MeasureProcessCPUTime();
BENCHMARK(look_up_tile)->UseRealTime()->MeasureProcessCPUTime();

}  // namespace
}  // namespace galago::kernels
