// Between tower and text model: pixel unshuffle trades space for depth, a projection changes the width.
// In: patch vectors [N, P, C] of square tiles. Out: image rows [N, T, D'] with T = P / scale^2.
// Reference: transformers 5.18 Idefics3Connector (pixel_shuffle and Idefics3SimpleMLP in
// modeling_idefics3.py).
#pragma once

#include "core/tensor.h"
#include "formats/weights.h"
#include "kernels/kernels.h"
#include "kernels/workspace.h"

namespace galago {

/// Gathers each scale x scale block of a square grid into one row: x [P, C] -> out [P / scale^2, C *
/// scale^2]. Output row r * side/scale + c concatenates its block row by row. Error{input_invalid} when P is
/// not a square or its side is not divisible by scale (both numbers named), or out has another shape.
void pixel_unshuffle(ConstMatrix x, int64_t scale, Matrix out, const kernels::Device& device);

/// Rows that one tile of side x side patches gives; Error{model_invalid} when scale does not divide the side.
int64_t rows_for(int64_t patches_per_side, int64_t scale);

/// pixel_unshuffle and a projection without bias.
class Idefics3Connector {
 public:
  /// scope: the connector's prefix, holding modality_projection.proj; hidden: C; out: D'.
  Idefics3Connector(const Scope& scope, int64_t hidden, int64_t scale, int64_t out);

  /// features [N, P, C] -> [N, T, D'].
  Tensor forward(const Tensor& features, Workspace& workspace) const;
  int64_t out_features() const { return projection_.out_features(); }
  int64_t scale() const { return scale_; }

 private:
  int64_t scale_;
  kernels::Linear projection_;
};

/// Brings image rows to the text model's width: a projection when the widths differ, nothing otherwise.
class HiddenAlign {
 public:
  /// The identity of width d.
  explicit HiddenAlign(int64_t d) : in_(d), out_(d) {}
  /// in == out needs no weights and binds none; else scope holds proj.weight [out, in] and, if there,
  /// proj.bias.
  HiddenAlign(const Scope& scope, int64_t in, int64_t out);

  bool identity() const { return projection_.empty(); }
  /// rows [..., in] -> [..., out]; the identity hands its input through.
  Tensor forward(Tensor rows, const kernels::Device& device) const;

 private:
  int64_t in_;
  int64_t out_;
  kernels::Linear projection_;
};

}  // namespace galago
