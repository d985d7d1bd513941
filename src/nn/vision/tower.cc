// What holds for any tower: a pass in one step, positions counted row by row.
#include "nn/vision/tower.h"

#include <utility>

namespace galago {
namespace {

// The whole forward as one step.
class OneStep final : public TowerPass {
 public:
  OneStep(const VisionTower& tower, const PixelBatch& batch, int64_t begin, int64_t count)
      : tower_(tower), batch_(batch), begin_(begin), count_(count) {}
  bool step(Workspace& workspace) override {
    output_ = tower_.forward(batch_, begin_, count_, workspace);
    return false;
  }
  TowerOutput finish(Workspace&) override { return std::move(output_); }

 private:
  const VisionTower& tower_;
  const PixelBatch& batch_;
  int64_t begin_, count_;
  TowerOutput output_;
};

}  // namespace

TowerOutput run(TowerPass& pass, Workspace& workspace) {
  while (pass.step(workspace)) {
  }
  return pass.finish(workspace);
}

std::unique_ptr<TowerPass> VisionTower::start(const PixelBatch& batch, int64_t begin, int64_t count,
                                              Workspace&) const {
  return std::make_unique<OneStep>(*this, batch, begin, count);
}

std::vector<int32_t> VisionTower::position_ids(const PixelBatch& batch) const {
  const Shape& shape = batch.pixels.shape();
  const int64_t rows = class_tokens() + (shape[2] / patch_size()) * (shape[3] / patch_size());
  std::vector<int32_t> ids(static_cast<size_t>(shape[0] * rows));
  for (size_t i = 0; i < ids.size(); ++i) ids[i] = static_cast<int32_t>(i % static_cast<size_t>(rows));
  return ids;
}

}  // namespace galago
