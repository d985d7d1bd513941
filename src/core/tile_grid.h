// How an image was cut: shared by the image module (which cuts) and the text module (which writes the tile
// tokens).
#pragma once

#include <cstdint>

namespace galago {

/// rows x cols tiles of a split image, followed by the global image; 0 x 0 when the image was not split.
struct TileGrid {
  int64_t rows = 0;
  int64_t cols = 0;

  bool split() const { return rows > 0 && cols > 0; }
  /// Tiles that go through the tower: the grid and the global image, or the one unsplit image.
  int64_t tiles() const { return rows * cols + 1; }
  bool operator==(const TileGrid&) const = default;
};

}  // namespace galago
