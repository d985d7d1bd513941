// LLaVA's connector: each patch's vector goes through two linear layers on its own; no patch is merged with
// another. In: patch vectors [N, P, C]. Out: [N, P, D]. Reference: transformers 5.18
// LlavaNextMultiModalProjector.
#pragma once

#include "core/tensor.h"
#include "formats/weights.h"
#include "kernels/kernels.h"
#include "kernels/workspace.h"

namespace galago {

/// linear_2(activation(linear_1(x))).
class MlpProjector {
 public:
  /// scope: the connector's prefix; in: C, of all tapped layers together; out: D.
  MlpProjector(const Scope& scope, LinearShape shape, kernels::Activation activation, Bias bias);

  /// features [N, P, C] -> [N, P, D], tile by tile.
  Tensor forward(const Tensor& features, Workspace& workspace) const;

 private:
  kernels::Linear linear_1_, linear_2_;
  kernels::Activation activation_;
};

}  // namespace galago
