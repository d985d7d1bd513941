// The stable boundary around any vision tower: optional resize and normalise, run, check what came out.
// In: tiles [N, 3, H, W]. Out: [N, P, C] with exactly the patches and width that the rest of the engine was
// built for. Reference: the adapter of the design documents; transformers 5.18
// Idefics3Model.get_image_features for the masks.
#pragma once

#include <array>
#include <functional>
#include <memory>

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

/// Runs a frozen tower. Const, safe to share between threads.
class VisionTowerAdapter {
 public:
  VisionTowerAdapter(std::shared_ptr<const VisionTower> tower, AdapterOptions options);

  /// [N, class tokens + P - skip_rows, C]. Error{model_invalid} when the tower yields no patch features (only
  /// a pooled vector, or nothing), or a shape other than expected; Error{input_invalid} when the pixels or
  /// the mask do not fit the tower.
  Tensor forward(const PixelBatch& batch, Workspace& workspace, const TileProgress& progress = {}) const;

  const VisionTower& tower() const { return *tower_; }
  int64_t hidden_size() const { return tower_->hidden_size(); }
  int64_t tiles_per_call() const { return options_.tiles_per_call; }

 private:
  void check_pixels(const PixelBatch& batch) const;
  void check_output(const TowerOutput& output, int64_t tiles, int64_t rows) const;

  std::shared_ptr<const VisionTower> tower_;
  AdapterOptions options_;
};

/// [N, H/p * W/p] from a pixel mask [N, H, W]: a patch is picture when any of its pixels is.
std::vector<uint8_t> patch_mask_from_pixels(std::span<const uint8_t> pixel_mask, int64_t tiles,
                                            int64_t height, int64_t width, int64_t patch_size);

}  // namespace galago
