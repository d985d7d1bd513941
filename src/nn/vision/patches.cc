// The convolution as a product; see the header.
#include "nn/vision/patches.h"

#include <string>

#include "galago/error.h"

namespace galago {
namespace {

// The convolution's kernel [C, channels, p, p] read as the weight of a linear layer [C, channels * p * p].
// Never in int8: a small part of a tower, on which everything after it depends.
LinearView patch_linear(const VisionConfig& config, const Scope& scope, Bias bias) {
  const int64_t c = config.hidden_size;
  const int64_t p = config.patch_size;
  TensorView kernel = scope.tensor("weight", {c, config.num_channels, p, p});
  kernel.shape = {c, config.num_channels * p * p};
  LinearView view{.weight = kernel, .bias = {}, .arithmetic = scope.without_int8().arithmetic()};
  if (bias == Bias::yes) view.bias = scope.tensor("bias", {c});
  return view;
}

}  // namespace

PatchEmbedding::PatchEmbedding(const VisionConfig& config, const Scope& scope, Bias bias)
    : patch_(config.patch_size), linear_(patch_linear(config, scope, bias), scope.device()) {
  if (config.num_channels != 3)  // the image station makes RGB
    throw Error(ErrorCode::model_unsupported, {.where = "config.json: vision_config.num_channels",
                                               .got = std::to_string(config.num_channels),
                                               .expected = "3"});
}

void PatchEmbedding::forward(const Tensor& pixels, int64_t tile, ConstMatrix positions, Matrix rows,
                             Workspace& workspace) const {
  Workspace::Frame frame(workspace);
  const kernels::Device& device = workspace.device();
  const Shape& shape = pixels.shape();  // [N, 3, H, W]
  const float* begin = pixels.data() + tile * shape[1] * shape[2] * shape[3];
  const Matrix patches = workspace.matrix(rows.rows, shape[1] * patch_ * patch_);  // [P, 3*p*p]
  device.unfold_patches({begin, shape[1], shape[2], shape[3]}, patch_, patches);
  device.linear(patches, linear_, rows, {.residual = positions});  // [P, C]
}

}  // namespace galago
