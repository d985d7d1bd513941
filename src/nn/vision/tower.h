// What a vision tower is to the rest of the engine: pixels in, one vector per patch out.
// The interface is small so that any tower (SigLIP here, others later) fits behind the adapter.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

#include "core/tensor.h"
#include "kernels/workspace.h"

namespace galago {

/// A batch of tiles of one size, normalised, with the patches that hold picture and not padding.
struct PixelBatch {
  Tensor pixels;                    ///< [N, 3, H, W], in the host's memory
  std::vector<uint8_t> patch_mask;  ///< [N, H/p * W/p], 0 = padding; empty = all picture
};

/// What a tower may yield, in its device's memory. A tower for a vision-language model fills
/// last_hidden_state.
struct TowerOutput {
  std::optional<Tensor> last_hidden_state;  ///< [N, P, C], or [N, class_tokens() + P, C]
  std::optional<Tensor> pooler_output;      ///< [N, C]
};

/// A pass of a few tiles through a tower in steps, a layer each, so that other work may come between two of
/// them. The workspace holds nothing of it between steps.
class TowerPass {
 public:
  virtual ~TowerPass() = default;
  /// The next step. False when it was the last one.
  virtual bool step(Workspace& workspace) = 0;
  /// What the tower yields; once, after the last step.
  virtual TowerOutput finish(Workspace& workspace) = 0;
};

/// The rest of a pass without pauses.
TowerOutput run(TowerPass& pass, Workspace& workspace);

/// A frozen vision encoder: const after construction, safe to share between threads.
class VisionTower {
 public:
  virtual ~VisionTower() = default;
  /// pixels: tiles [begin, begin + count) of the batch.
  virtual TowerOutput forward(const PixelBatch& batch, int64_t begin, int64_t count,
                              Workspace& workspace) const = 0;
  /// The same in steps; a tower that does not know better takes one. The batch must outlive the pass.
  virtual std::unique_ptr<TowerPass> start(const PixelBatch& batch, int64_t begin, int64_t count,
                                           Workspace& workspace) const;
  /// Pixels on one side of a patch.
  virtual int64_t patch_size() const = 0;
  /// C, the width of one patch's vector.
  virtual int64_t hidden_size() const = 0;
  /// Rows before the patches' rows that stand for no patch (CLIP's class token).
  virtual int64_t class_tokens() const { return 0; }
  /// Which row of the position table each row takes, [N, class_tokens() + P]: one after the other, unless the
  /// tower knows better.
  virtual std::vector<int32_t> position_ids(const PixelBatch& batch) const;
};

}  // namespace galago
