// The half of a model that holds weights: pixels to image rows, module by module, and the decoder.
// In: pixel batches. Out: each module's tensor, so that a trace can look at all of them.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "kernels/workspace.h"
#include "nn/decoder/decoder.h"
#include "nn/vision/adapter.h"

namespace galago {

struct ImagePlan;

/// Const and thread-safe after construction.
class Engine {
 public:
  virtual ~Engine() = default;

  /// Tower, behind its adapter: one image's tiles to patch vectors [N, P, C].
  Tensor encode_image(const PixelBatch& batch, Workspace& workspace, const TileProgress& progress) const {
    return start_image(batch, workspace.device().memory())->run(workspace, progress);
  }
  /// The same in steps, for who has other work between them. The batch must outlive the pass.
  virtual std::unique_ptr<FeaturePass> start_image(const PixelBatch& batch, const Memory& memory) const = 0;
  /// Tiles that go through the tower together; encode_image() takes any number, group by group.
  virtual int64_t group_size() const = 0;
  /// Connector: [N, P, C] to [N, T, D'].
  virtual Tensor connect(const Tensor& features, Workspace& workspace) const = 0;
  /// [N, T, D'] of one image to its rows [R, D] in the placeholders' order: aligned, or unpadded with new
  /// lines.
  virtual Tensor image_rows(Tensor connected, const ImagePlan& plan) const = 0;
  virtual const Decoder& decoder() const = 0;

  /// Which row of the position table each patch takes, [N, P]: for a trace.
  virtual std::vector<int32_t> position_ids(const PixelBatch& batch) const = 0;
  /// Pixels on one side of a patch.
  virtual int64_t patch_size() const = 0;

  /// Tensors of the checkpoint that it does not use (Binder::finish).
  std::vector<std::string> unused;
};

}  // namespace galago
