// The first step of a vision transformer: the picture cut into square patches, each made a vector.
// In: normalised tiles [N, 3, H, W]. Out: one row of C floats per patch, row-major over the grid of patches.
// Reference: the convolution (kernel = stride = patch, no padding) of transformers 5.18
// SiglipVisionEmbeddings and CLIPVisionEmbeddings, written as a product.
#pragma once

#include <cstdint>

#include "formats/config/config.h"
#include "formats/weights.h"
#include "kernels/kernels.h"
#include "kernels/workspace.h"
#include "nn/vision/tower.h"

namespace galago {

/// patch_embedding.weight [C, 3, p, p] and perhaps .bias [C].
class PatchEmbedding {
 public:
  /// scope: the prefix that holds weight. Error{model_unsupported} unless the config has three channels.
  PatchEmbedding(const VisionConfig& config, const Scope& scope, Bias bias);
  /// rows [P, C] = the patches of one tile of the batch, which is the host's, embedded, + positions [P, C].
  void forward(const Tensor& pixels, int64_t tile, ConstMatrix positions, Matrix rows,
               Workspace& workspace) const;
  /// Rows and columns of whole patches in a tile of the batch.
  int64_t grid_height(const Tensor& pixels) const { return pixels.shape()[2] / patch_; }
  int64_t grid_width(const Tensor& pixels) const { return pixels.shape()[3] / patch_; }
  int64_t patches(const Tensor& pixels) const { return grid_height(pixels) * grid_width(pixels); }

 private:
  int64_t patch_;
  kernels::Linear linear_;
};

}  // namespace galago
