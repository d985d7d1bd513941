// Resampling as a stream: rows of the result are asked for in bands, every pass asks the one before it for
// the rows that it lacks, and keeps the few that the next band needs again. So a band stays in the
// processor's cache, whatever the sizes, no pass has a picture of its own, and only rows that are needed are
// made. Each thread streams through its part of the rows. In and out: bytes.
#include <algorithm>
#include <cstring>
#include <numeric>

#include "kernels/cpu/cpu.h"
#include "kernels/cpu/parallel.h"
#include "kernels/cpu/resample_steps.h"

namespace galago::kernels::cpu {
namespace {

/// Rows of the result that are asked for at once, and the bytes of scratch above which fewer are.
constexpr int64_t kBandRows = 32;
constexpr int64_t kLeastBandRows = 8;
constexpr int64_t kBandBytes = 512 << 10;
/// Rows that fill a group of lines, colours being lines of their own.
constexpr int64_t kRowsAlongX = kLines / kColors;
/// A thread gets at least so many rows: at the border of two parts the first passes make rows twice.
constexpr int64_t kPartRows = 64;

struct Rows {
  int64_t begin = 0;
  int64_t end = 0;

  int64_t count() const { return end - begin; }
};

/// The picture as it is at one point of the stream: the source, or after a pass.
struct Stage {
  const PairWeights* weights = nullptr;  // null for the source
  Direction direction = Direction::along_x;
  int64_t stride = 0;    // bytes of one colour
  int64_t capacity = 0;  // rows
  Rows part;             // all rows that the thread needs
  Rows held;
  std::vector<uint8_t> rows;  // [held, 3, stride]

  int64_t row_bytes() const { return stride * kColors; }
  int64_t bytes() const { return capacity * row_bytes(); }
  uint8_t* row(int64_t y) { return rows.data() + (y - held.begin) * row_bytes(); }
};

// An odd number of cache lines: rows of scratch must not fall on the same places of the cache.
int64_t padded(int64_t width) {
  const int64_t groups = (width + kPadding + kLines - 1) / kLines;
  return (groups | 1) * kLines;
}

/// The rows of the stage before that make these rows.
Rows rows_before(const Stage& stage, Rows rows) {
  if (stage.direction == Direction::along_x || rows.count() == 0) return rows;
  const PairWeights& weights = *stage.weights;
  return {weights.first_pair(rows.begin) * 2, std::min(weights.end_pair(rows.end) * 2, weights.in())};
}

/// One thread's part of the result.
class Stream {
 public:
  Stream(const ConstPicture& in, std::span<const ResamplePass> passes, std::span<const PairWeights> weights,
         const Picture& out, Rows part);

  void run() {
    each_band([&](Rows band) {
      produce(stages_.size() - 1, band);
      Stage& last = stages_.back();
      for (int64_t y = band.begin; y < band.end; ++y) store_row(last.row(y), last.stride, y, out_);
    });
  }

 private:
  template <class Body>
  void each_band(const Body& body) {
    for (Stage& stage : stages_) stage.held = {stage.part.begin, stage.part.begin};
    const Rows part = stages_.back().part;
    for (int64_t y = part.begin; y < part.end; y += band_) body({y, std::min(y + band_, part.end)});
  }

  int64_t measure();
  void reserve();
  Rows admit(Stage& stage, Rows wanted);
  void produce(size_t k, Rows wanted);

  ConstPicture in_;
  Picture out_;
  int64_t band_ = kBandRows;
  bool measuring_ = true;  // only the books are kept, to learn how many rows a stage holds
  std::vector<Stage> stages_;
  ResampleScratch scratch_;
};

Stream::Stream(const ConstPicture& in, std::span<const ResamplePass> passes,
               std::span<const PairWeights> weights, const Picture& out, Rows part)
    : in_(in), out_(out), stages_(passes.size() + 1) {
  int64_t width = in.layout.width;
  stages_[0].stride = padded(width);
  for (size_t k = 0; k < passes.size(); ++k) {
    Stage& stage = stages_[k + 1];
    stage.weights = &weights[k];
    stage.direction = passes[k].direction;
    if (stage.direction == Direction::along_x) width = stage.weights->out();
    stage.stride = padded(width);
  }
  stages_.back().part = part;
  for (size_t k = stages_.size() - 1; k > 0; --k)
    stages_[k - 1].part = rows_before(stages_[k], stages_[k].part);
  while (measure() > kBandBytes && band_ > kLeastBandRows) band_ /= 2;
  reserve();
}

/// Goes through the part without touching pixels. -> bytes of all rows that are held at once.
int64_t Stream::measure() {
  for (Stage& stage : stages_) stage.capacity = 0;
  each_band([&](Rows band) { produce(stages_.size() - 1, band); });
  return std::accumulate(stages_.begin(), stages_.end(), int64_t{0},
                         [](int64_t sum, const Stage& stage) { return sum + stage.bytes(); });
}

void Stream::reserve() {
  measuring_ = false;
  for (Stage& stage : stages_) {
    stage.rows.resize(static_cast<size_t>(stage.bytes()));
    if (stage.weights == nullptr) continue;
    if (stage.direction == Direction::along_x) {
      scratch_.reserve(stage.weights->most_pairs(kAlongX));
      continue;
    }
    const Stage& before = (&stage)[-1];
    scratch_.reserve(before.capacity / 2 + 1);
  }
}

/// Forgets rows before wanted.begin. -> the wanted rows that are not there; the stage holds them afterwards.
Rows Stream::admit(Stage& stage, Rows wanted) {
  const int64_t kept = std::max<int64_t>(stage.held.end - wanted.begin, 0);
  if (!measuring_ && kept > 0 && wanted.begin > stage.held.begin)
    std::memmove(stage.rows.data(), stage.row(wanted.begin), static_cast<size_t>(kept * stage.row_bytes()));
  stage.held = {wanted.begin, wanted.begin + kept};
  Rows fresh{stage.held.end, std::max(stage.held.end, wanted.end)};
  if (stage.weights != nullptr && stage.direction == Direction::along_x) {
    const int64_t groups = (fresh.count() + kRowsAlongX - 1) / kRowsAlongX;
    fresh.end = std::min(std::max(fresh.end, stage.part.end), fresh.begin + groups * kRowsAlongX);
  }
  stage.held.end = fresh.end;
  stage.capacity = std::max(stage.capacity, stage.held.count());
  return fresh;
}

void Stream::produce(size_t k, Rows wanted) {
  Stage& stage = stages_[k];
  const Rows fresh = admit(stage, wanted);
  if (fresh.count() == 0) return;
  if (k == 0) {
    for (int64_t y = fresh.begin; y < fresh.end && !measuring_; ++y)
      load_row(in_, y, stage.row(y), stage.stride);
    return;
  }
  Stage& before = stages_[k - 1];
  const Rows read = rows_before(stage, fresh);
  produce(k - 1, read);
  if (measuring_) return;
  if (stage.direction == Direction::along_x)
    resample_along_x({before.row(read.begin), before.stride}, read.count() * kColors, *stage.weights,
                     scratch_, {stage.row(fresh.begin), stage.stride});
  else
    resample_along_y({before.row(read.begin), before.row_bytes()}, fresh.begin, fresh.end, *stage.weights,
                     scratch_, {stage.row(fresh.begin), stage.row_bytes()});
}

/// Vector operations that a row of the result costs, about.
int64_t cost_of_row(std::span<const ResamplePass> passes, std::span<const PairWeights> weights,
                    const ConstPicture& in, int64_t rows) {
  int64_t width = in.layout.width, height = in.layout.height;
  int64_t cost = width * height * kColors / 16;
  for (size_t k = 0; k < passes.size(); ++k) {
    const bool along_x = passes[k].direction == Direction::along_x;
    cost += (along_x ? height : width) * kColors * weights[k].total() / 4;
    (along_x ? width : height) = weights[k].out();
  }
  return cost / rows;
}

}  // namespace

void resample(Pool& pool, const ConstPicture& in, std::span<const ResamplePass> passes, const Picture& out) {
  std::vector<PairWeights> weights;
  weights.reserve(passes.size());
  for (const ResamplePass& pass : passes) weights.emplace_back(*pass.axis);
  const int64_t rows = out.layout.height;
  const int64_t cost = cost_of_row(passes, weights, in, rows);
  const int64_t parts = std::max<int64_t>(1, std::min(rows / kPartRows, parts_for(pool, rows, cost)));
  std::vector<Stream> streams;
  for (int64_t i = 0; i < parts; ++i)
    streams.emplace_back(in, passes, weights, out, Rows{rows * i / parts, rows * (i + 1) / parts});
  parallel_parts(pool, parts, [&](int64_t i) { streams[static_cast<size_t>(i)].run(); });
}

}  // namespace galago::kernels::cpu
