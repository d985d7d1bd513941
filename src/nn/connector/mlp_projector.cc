// Two linear layers; see the header.
#include "nn/connector/mlp_projector.h"

namespace galago {

MlpProjector::MlpProjector(const Scope& scope, LinearShape shape, kernels::Activation activation, Bias bias)
    : linear_1_(scope.linear("linear_1", shape, bias), scope.device()),
      linear_2_(scope.linear("linear_2", {shape.out, shape.out}, bias), scope.device()),
      activation_(activation) {}

Tensor MlpProjector::forward(const Tensor& features, Workspace& workspace) const {
  const int64_t tiles = features.shape()[0];
  const int64_t patches = features.shape()[1];
  Tensor out({tiles, patches, linear_2_.out_features()}, workspace.device().memory());
  for (int64_t t = 0; t < tiles; ++t) {
    Workspace::Frame frame(workspace);
    const ConstMatrix tile = features.matrix().slice_rows(t * patches, patches);  // [P, C]
    const Matrix hidden = workspace.matrix(patches, linear_1_.out_features());    // [P, D]
    workspace.device().feed_forward(tile, {{{&linear_1_, hidden, {.activation = activation_}}}},
                                    {&linear_2_, out.matrix().slice_rows(t * patches, patches)});  // [P, D]
  }
  return out;
}

}  // namespace galago
