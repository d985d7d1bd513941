// Positions of a tower that counts its rows.
#include "nn/vision/tower.h"

namespace galago {

std::vector<int32_t> VisionTower::position_ids(const PixelBatch& batch) const {
  const Shape& shape = batch.pixels.shape();
  const int64_t rows = class_tokens() + (shape[2] / patch_size()) * (shape[3] / patch_size());
  std::vector<int32_t> ids(static_cast<size_t>(shape[0] * rows));
  for (size_t i = 0; i < ids.size(); ++i) ids[i] = static_cast<int32_t>(i % static_cast<size_t>(rows));
  return ids;
}

}  // namespace galago
