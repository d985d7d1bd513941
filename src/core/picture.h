// Views of 8-bit pictures as kernels read and write them: rows of red, green and blue, or planes, whole or
// cut into tiles. In: the sizes. Out: where a byte lies. Memory belongs to others.
#pragma once

#include <cstdint>

namespace galago {

/// Where a picture's bytes lie. The picture stands at (top, left) of a canvas that is cut into tiles of equal
/// size; tiles follow each other row by row, and a tile is [3, tile_height, tile_width] where `planes` is
/// set, else [tile_height, tile_width, 3]. A picture that is not cut is its own tile. All in pixels.
struct PictureLayout {
  int64_t height = 0;
  int64_t width = 0;
  int64_t tile_height = 0;
  int64_t tile_width = 0;
  int64_t tile_cols = 1;  ///< tiles beside each other on the canvas
  int64_t top = 0;
  int64_t left = 0;
  bool planes = false;

  /// [height, width, 3]
  static PictureLayout interleaved(int64_t height, int64_t width) {
    return {.height = height, .width = width, .tile_height = height, .tile_width = width};
  }
  /// [3, height, width]
  static PictureLayout planar(int64_t height, int64_t width) {
    return {.height = height, .width = width, .tile_height = height, .tile_width = width, .planes = true};
  }
  /// [rows * cols, 3, tile_height, tile_width], filled by the picture.
  static PictureLayout tiled(int64_t rows, int64_t cols, int64_t tile_height, int64_t tile_width) {
    return {.height = rows * tile_height,
            .width = cols * tile_width,
            .tile_height = tile_height,
            .tile_width = tile_width,
            .tile_cols = cols,
            .planes = true};
  }

  /// Bytes from one pixel of a colour to the next of its row, and from one colour to the next.
  int64_t step() const { return planes ? 1 : 3; }
  int64_t plane() const { return planes ? tile_height * tile_width : 1; }
  /// The first colour's byte of pixel (y, x).
  int64_t offset(int64_t y, int64_t x) const {
    const int64_t down = top + y, right = left + x;
    const int64_t tile = down / tile_height * tile_cols + right / tile_width;
    const int64_t pixel = down % tile_height * tile_width + right % tile_width;
    return tile * 3 * tile_height * tile_width + pixel * step();
  }
  /// Pixels from x to the end of its tile's row or of the picture's.
  int64_t run(int64_t x) const {
    const int64_t in_tile = tile_width - (left + x) % tile_width;
    return in_tile < width - x ? in_tile : width - x;
  }
};

struct ConstPicture {
  const uint8_t* bytes = nullptr;
  PictureLayout layout;
};

struct Picture {
  uint8_t* bytes = nullptr;
  PictureLayout layout;
};

}  // namespace galago
