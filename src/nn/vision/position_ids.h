// Which row of the position table each patch takes, for tiles of any size and any padding.
// In: the patch mask of one tile and the table's grid side. Out: one id per patch, 0 for padding.
// Reference: transformers 5.18 Idefics3VisionEmbeddings.forward (bucketed fractional coordinates, NaViT
// style).
#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace galago {

/// mask: height x width bytes, row by row; 0 = padding; at least one patch of the first row and column is
/// picture. The float arithmetic is the reference's, step by step: it decides the ids where a fraction meets
/// a boundary.
std::vector<int32_t> vision_position_ids(std::span<const uint8_t> mask, int64_t height, int64_t width,
                                         int64_t table_side);

}  // namespace galago
