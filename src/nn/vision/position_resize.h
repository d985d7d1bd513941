// A square table of positions stretched or shrunk to a picture's grid of patches.
// In: [side * side, C], row by row. Out: [rows * cols, C]. Reference: transformers 5.18
// Siglip2VisionEmbeddings.resize_positional_embeddings, which is torch 2.13
// interpolate(mode="bilinear", align_corners=False, antialias=True) in float32.
#pragma once

#include "core/patch_batch.h"
#include "kernels/workspace.h"

namespace galago {

/// Computed on the host. out [rows * cols, C] = the table [side * side, C] at another resolution. A grid of
/// side x side gets the table as it is. When an axis shrinks, the triangle of the filter widens with it, so
/// that every row of the table counts. A grid of one column that is not `side` high gets the first row's mean
/// in every row, as torch gives it on a CPU.
void resize_positions(ConstMatrix table, PatchGrid grid, Matrix out, Workspace& workspace);

}  // namespace galago
