// The stable boundary around any vision tower: optional resize and normalise, run, check what came out.
// In: tiles [N, 3, H, W]. Out: [N, P, C] with exactly the patches and width that the rest of the engine was
// built for. Reference: the adapter of the design documents; transformers 5.18
// Idefics3Model.get_image_features for the masks.
#pragma once

#include <array>
#include <functional>
#include <memory>
#include <optional>
#include <utility>

#include "nn/vision/tower.h"

namespace galago {

/// Pixels to pixels, [N, 3, H, W] -> [N, 3, H', W'].
using PixelTransform = std::function<Tensor(const Tensor& pixels)>;

/// The step (x - mean) / std, channel by channel, for towers whose pixels arrive in 0..1.
/// Error{model_invalid} when a std is zero or not finite; the step throws Error{input_invalid} for another
/// shape.
PixelTransform create_normalize_fn(std::array<double, 3> mean, std::array<double, 3> std);

/// What the adapter does and expects. A zero expectation is filled in: P from the pixels, C from the tower.
struct AdapterOptions {
  PixelTransform resize;         ///< applied first; empty: none
  PixelTransform normalize;      ///< applied second; empty: none
  int64_t expected_patches = 0;  ///< P of a whole tile, without the tower's class tokens
  int64_t expected_hidden = 0;   ///< C
  int64_t tiles_per_call = 1;    ///< tiles that go through the tower together
  int64_t skip_rows = 0;         ///< of each tile's first rows, left out of the result (LLaVA's "default": 1)
};

/// Tiles done and tiles in all; return false to stop (the adapter throws Cancelled).
using TileProgress = std::function<bool(int64_t done, int64_t total)>;

class VisionTowerAdapter;

/// The adapter's way through a batch in steps, so that other work may come between two of them. The adapter
/// and the batch must outlive it; the workspace holds nothing of it between steps.
class FeaturePass {
 public:
  /// As VisionTowerAdapter::start.
  FeaturePass(const VisionTowerAdapter& adapter, const PixelBatch& batch, const Memory& memory);
  FeaturePass(const FeaturePass&) = delete;
  FeaturePass& operator=(const FeaturePass&) = delete;

  /// The next step of the tower. False when it was the last one.
  bool step(Workspace& workspace);
  /// The features, once, after the last step.
  Tensor take() { return std::move(features_); }
  /// All steps, then the features. Cancelled when `progress`, which hears of each group of tiles, says so.
  Tensor run(Workspace& workspace, const TileProgress& progress = {});

 private:
  const PixelBatch& input() const { return changed_ ? *changed_ : batch_; }
  int64_t group() const;  // tiles that are in the tower

  const VisionTowerAdapter& adapter_;
  const PixelBatch& batch_;
  std::optional<PixelBatch> changed_;  // the batch after resize and normalise, where there are any
  int64_t tiles_ = 0;
  int64_t rows_ = 0;  // of a tile, as the tower yields them
  Tensor features_;   // [N, rows - skip_rows, C]
  std::unique_ptr<TowerPass> pass_;
  int64_t done_ = 0;  // tiles
};

/// Runs a frozen tower. Const, safe to share between threads.
class VisionTowerAdapter {
 public:
  VisionTowerAdapter(std::shared_ptr<const VisionTower> tower, AdapterOptions options);

  /// [N, class tokens + P - skip_rows, C]. Error{model_invalid} when the tower yields no patch features (only
  /// a pooled vector, or nothing), or a shape other than expected; Error{input_invalid} when the pixels or
  /// the mask do not fit the tower.
  Tensor forward(const PixelBatch& batch, Workspace& workspace, const TileProgress& progress = {}) const;
  /// The same in steps. The errors of what comes in are thrown here, those of what comes out by step().
  std::unique_ptr<FeaturePass> start(const PixelBatch& batch, const Memory& memory) const;

  const VisionTower& tower() const { return *tower_; }
  int64_t hidden_size() const { return tower_->hidden_size(); }
  int64_t tiles_per_call() const { return options_.tiles_per_call; }

 private:
  friend class FeaturePass;
  void check_pixels(const PixelBatch& batch) const;
  void check_output(const TowerOutput& output, int64_t tiles, int64_t rows) const;

  std::shared_ptr<const VisionTower> tower_;
  AdapterOptions options_;
};

/// [N, H/p * W/p] from a pixel mask [N, H, W]: a patch is picture when any of its pixels is.
std::vector<uint8_t> patch_mask_from_pixels(std::span<const uint8_t> pixel_mask, int64_t tiles,
                                            int64_t height, int64_t width, int64_t patch_size);

}  // namespace galago
