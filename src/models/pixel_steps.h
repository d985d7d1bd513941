// Pixel steps for a tower that is fed from outside the preprocessor: a resize that matches the
// preprocessor's. In: pixels [N, 3, H, W] in 0..1. Out: pixels [N, 3, side, side] in 0..1, as Pillow resizes
// 8-bit images.
#pragma once

#include "formats/config/config.h"
#include "kernels/kernels.h"
#include "nn/vision/adapter.h"

namespace galago {

/// A PixelTransform for AdapterOptions::resize. Values are rounded to 8 bits first, as the preprocessor
/// resizes bytes. The transform throws Error{input_invalid} for another shape than [N, 3, H, W] or a value
/// outside 0..1.
PixelTransform create_resize_fn(int64_t side, Resample filter, kernels::SharedDevice device,
                                Resizer resizer = Resizer::pillow13);

}  // namespace galago
