// Pictures of any shape as lists of patches: shared by the image module, which cuts, and the vision tower.
#pragma once

#include <cstdint>
#include <vector>

#include "core/tensor.h"

namespace galago {

/// How many patches lie under and beside each other in a picture.
struct PatchGrid {
  int64_t rows = 0;
  int64_t cols = 0;

  int64_t patches() const { return rows * cols; }
  bool operator==(const PatchGrid&) const = default;
};

/// Pictures cut into squares of p x p pixels. The first grids[n].patches() of picture n's L rows are its
/// patches, row by row of the picture; the others are padding. A row holds pixel after pixel, line by line,
/// the three colours of a pixel side by side.
struct PatchBatch {
  Tensor patches;                ///< [N, L, p * p * 3], normalised
  std::vector<PatchGrid> grids;  ///< [N]
};

}  // namespace galago
