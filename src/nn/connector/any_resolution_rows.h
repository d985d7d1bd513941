// The rows that stand for a picture cut into tiles: all rows of the whole picture, then the tiles' rows put
// back into one grid, without those that show nothing but padding, and a "new line" row after each grid row.
// In: projected tiles [1 + rows x cols, P, D]. Out: image rows [R, D]; R is known before any pixel is.
// Reference: transformers 5.18 LlavaNextModel.pack_image_features, unpad_image, and
// LlavaNextProcessor._get_number_of_features, which counts the same rows.
#pragma once

#include <cstdint>

#include "core/tensor.h"
#include "core/tile_grid.h"
#include "kernels/kernels.h"

namespace galago {

/// A picture on its grid of tiles.
struct TiledPicture {
  int64_t height = 0;            ///< pixels of the picture as it came
  int64_t width = 0;             ///< pixels
  TileGrid grid;                 ///< tiles beside the whole picture
  int64_t patches_per_side = 0;  ///< of a tile
};

/// The part of the grid of patches that the picture covers.
struct PatchWindow {
  int64_t top = 0;
  int64_t left = 0;
  int64_t rows = 0;
  int64_t cols = 0;
};

/// Which patches stay: those between the bars that keep the picture's shape. A very long picture may leave no
/// row at all.
PatchWindow unpadded_window(const TiledPicture& picture);

/// R: the whole picture's patches, and each row of the window with its new line.
int64_t rows_for(const TiledPicture& picture);

/// connected [1 + rows x cols, P, D], the whole picture first -> [R, D]; newline [1, D]. All on the device.
/// Error{internal} when the number of tiles or patches is not the picture's.
Tensor any_resolution_rows(const Tensor& connected, const TiledPicture& picture, ConstMatrix newline,
                           const kernels::Device& device);

}  // namespace galago
