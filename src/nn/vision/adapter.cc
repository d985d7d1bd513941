// Checks before the tower and after it; the tower runs on a few tiles at a time, a layer after the other.
#include "nn/vision/adapter.h"

#include <algorithm>
#include <cmath>
#include <string>
#include <utility>

#include "core/cancelled.h"
#include "galago/error.h"

namespace galago {
namespace {

[[noreturn]] void bad_output(const std::string& got, const std::string& expected) {
  throw Error(ErrorCode::model_invalid, {.where = "vision tower output",
                                         .got = got,
                                         .expected = expected,
                                         .hint = "the adapter needs one vector per patch"});
}

}  // namespace

PixelTransform create_normalize_fn(std::array<double, 3> mean, std::array<double, 3> std) {
  for (const double s : std)
    if (!(std::isfinite(s) && s != 0))
      throw Error(ErrorCode::model_invalid,
                  {.where = "normalise: std", .got = std::to_string(s), .expected = "not 0"});
  return [mean, std](const Tensor& pixels) {
    const Shape& shape = pixels.shape();  // [N, 3, H, W]
    if (shape.size() != 4 || shape[1] != 3)
      throw Error(ErrorCode::input_invalid,
                  {.where = "normalise: pixels", .got = to_string(shape), .expected = "[N, 3, H, W]"});
    Tensor out(shape);
    const int64_t plane = shape[2] * shape[3];
    for (int64_t i = 0; i < shape[0] * shape[1]; ++i) {
      const auto c = static_cast<size_t>(i % shape[1]);
      const float m = static_cast<float>(mean[c]);
      const float s = static_cast<float>(std[c]);
      for (int64_t j = i * plane; j < (i + 1) * plane; ++j) out.data()[j] = (pixels.data()[j] - m) / s;
    }
    return out;
  };
}

VisionTowerAdapter::VisionTowerAdapter(std::shared_ptr<const VisionTower> tower, AdapterOptions options)
    : tower_(std::move(tower)), options_(std::move(options)) {
  options_.tiles_per_call = std::max<int64_t>(1, options_.tiles_per_call);
}

void VisionTowerAdapter::check_pixels(const PixelBatch& batch) const {
  const Shape& shape = batch.pixels.shape();
  const int64_t p = tower_->patch_size();
  if (shape.size() != 4 || shape[0] < 1 || shape[1] != 3 || shape[2] < p || shape[3] < p)
    throw Error(ErrorCode::input_invalid,
                {.where = "vision tower input",
                 .got = to_string(shape),
                 .expected = "[N, 3, H, W] with sides of at least " + std::to_string(p) + " pixels"});
  const int64_t patches = (shape[2] / p) * (shape[3] / p);
  if (batch.patch_mask.empty()) return;
  if (static_cast<int64_t>(batch.patch_mask.size()) != shape[0] * patches)
    throw Error(ErrorCode::input_invalid, {.where = "vision tower patch mask",
                                           .got = std::to_string(batch.patch_mask.size()) + " entries",
                                           .expected = std::to_string(shape[0] * patches)});
  for (int64_t t = 0; t < shape[0]; ++t)
    if (!batch.patch_mask[static_cast<size_t>(t * patches)])
      throw Error(ErrorCode::input_invalid, {.where = "vision tower patch mask of tile " + std::to_string(t),
                                             .got = "padding in the first patch",
                                             .expected = "the picture at the top left"});
}

void VisionTowerAdapter::check_output(const TowerOutput& output, int64_t tiles, int64_t rows) const {
  if (!output.last_hidden_state)
    bad_output(output.pooler_output ? "a pooled vector only, " + to_string(output.pooler_output->shape())
                                    : "nothing",
               "patch features [N, P, C]");
  const int64_t hidden = options_.expected_hidden ? options_.expected_hidden : tower_->hidden_size();
  const Shape expected{tiles, rows, hidden};
  if (output.last_hidden_state->shape() != expected)
    bad_output(to_string(output.last_hidden_state->shape()), to_string(expected));
}

Tensor VisionTowerAdapter::forward(const PixelBatch& batch, Workspace& workspace,
                                   const TileProgress& progress) const {
  return start(batch, workspace.device().memory())->run(workspace, progress);
}

std::unique_ptr<FeaturePass> VisionTowerAdapter::start(const PixelBatch& batch, const Memory& memory) const {
  return std::make_unique<FeaturePass>(*this, batch, memory);
}

FeaturePass::FeaturePass(const VisionTowerAdapter& adapter, const PixelBatch& batch, const Memory& memory)
    : adapter_(adapter), batch_(batch) {
  const AdapterOptions& options = adapter_.options_;
  for (const PixelTransform* step : {&options.resize, &options.normalize})
    if (*step) changed_ = PixelBatch{.pixels = (*step)(input().pixels), .patch_mask = input().patch_mask};
  adapter_.check_pixels(input());

  const VisionTower& tower = adapter_.tower();
  const Shape& shape = input().pixels.shape();
  const int64_t p = tower.patch_size();
  const int64_t patches = options.expected_patches && input().patch_mask.empty()
                              ? options.expected_patches
                              : (shape[2] / p) * (shape[3] / p);
  const int64_t width = options.expected_hidden ? options.expected_hidden : tower.hidden_size();
  tiles_ = shape[0];
  rows_ = tower.class_tokens() + patches;
  const int64_t kept = rows_ - options.skip_rows;
  if (kept < 1)
    bad_output(std::to_string(rows_) + " rows for a tile", "more than the first, which is left out");
  features_ = Tensor({tiles_, kept, width}, memory);
}

int64_t FeaturePass::group() const { return std::min(adapter_.tiles_per_call(), tiles_ - done_); }

bool FeaturePass::step(Workspace& workspace) {
  const int64_t count = group();
  if (!pass_) pass_ = adapter_.tower().start(input(), done_, count, workspace);
  if (pass_->step(workspace)) return true;
  const TowerOutput output = pass_->finish(workspace);
  pass_.reset();
  adapter_.check_output(output, count, rows_);
  const int64_t skipped = adapter_.options_.skip_rows, kept = rows_ - skipped;
  for (int64_t t = 0; t < count; ++t)
    workspace.device().copy(output.last_hidden_state->matrix().slice_rows(t * rows_ + skipped, kept),
                            features_.matrix().slice_rows((done_ + t) * kept, kept));
  done_ += count;
  return done_ < tiles_;
}

Tensor FeaturePass::run(Workspace& workspace, const TileProgress& progress) {
  for (bool more = true; more;) {
    const int64_t before = done_;
    more = step(workspace);
    if (done_ > before && progress && !progress(done_, tiles_)) throw Cancelled{};
  }
  return take();
}

std::vector<uint8_t> patch_mask_from_pixels(std::span<const uint8_t> pixel_mask, int64_t tiles,
                                            int64_t height, int64_t width, int64_t patch_size) {
  const int64_t grid_h = height / patch_size;
  const int64_t grid_w = width / patch_size;
  std::vector<uint8_t> mask(static_cast<size_t>(tiles * grid_h * grid_w), 0);
  for (int64_t t = 0; t < tiles; ++t)
    for (int64_t y = 0; y < grid_h * patch_size; ++y)
      for (int64_t x = 0; x < grid_w * patch_size; ++x)
        if (pixel_mask[static_cast<size_t>((t * height + y) * width + x)])
          mask[static_cast<size_t>((t * grid_h + y / patch_size) * grid_w + x / patch_size)] = 1;
  return mask;
}

}  // namespace galago
