// Unfolding and the product; see the header.
#include "nn/vision/patches.h"

#include <algorithm>
#include <string>

#include "galago/error.h"

namespace galago {
namespace {

// The convolution's kernel [C, channels, p, p] read as the weight of a linear layer [C, channels * p * p].
LinearView patch_linear(const VisionConfig& config, const Scope& scope, Bias bias) {
  const int64_t c = config.hidden_size;
  const int64_t p = config.patch_size;
  TensorView kernel = scope.tensor("weight", {c, config.num_channels, p, p});
  kernel.shape = {c, config.num_channels * p * p};
  LinearView view{.weight = kernel, .bias = {}, .arithmetic = scope.arithmetic()};
  if (bias == Bias::yes) view.bias = scope.tensor("bias", {c});
  return view;
}

}  // namespace

PatchEmbedding::PatchEmbedding(const VisionConfig& config, const Scope& scope, Bias bias)
    : patch_(config.patch_size), linear_(patch_linear(config, scope, bias)) {
  if (config.num_channels != 3)  // the image station makes RGB
    throw Error(ErrorCode::model_unsupported, {.where = "config.json: vision_config.num_channels",
                                               .got = std::to_string(config.num_channels),
                                               .expected = "3"});
}

void PatchEmbedding::forward(const Tensor& pixels, int64_t tile, ConstMatrix positions, Matrix rows,
                             Workspace& workspace) const {
  Workspace::Frame frame(workspace);
  const Shape& shape = pixels.shape();  // [N, 3, H, W]
  const float* begin = pixels.data() + tile * shape[1] * shape[2] * shape[3];
  const Matrix patches = workspace.matrix(rows.rows, shape[1] * patch_ * patch_);  // [P, 3*p*p]
  unfold_patches(begin, shape[1], shape[2], shape[3], patch_, patches);
  workspace.device().linear(patches, linear_, rows, {.residual = positions});  // [P, C]
}

void unfold_patches(const float* tile, int64_t channels, int64_t height, int64_t width, int64_t patch,
                    Matrix rows) {
  const int64_t grid_h = height / patch;
  const int64_t grid_w = width / patch;
  for (int64_t gy = 0; gy < grid_h; ++gy)
    for (int64_t gx = 0; gx < grid_w; ++gx) {
      float* out = rows.row(gy * grid_w + gx);
      for (int64_t c = 0; c < channels; ++c)
        for (int64_t y = 0; y < patch; ++y, out += patch)
          std::copy_n(tile + (c * height + gy * patch + y) * width + gx * patch, patch, out);
    }
}

}  // namespace galago
