// A table from vision_config.model_type to a tower.
#include "models/towers.h"

#include <algorithm>
#include <array>
#include <string>

#include "galago/error.h"
#include "nn/vision/clip.h"
#include "nn/vision/siglip.h"

namespace galago {
namespace {

using Tower = std::shared_ptr<const VisionTower>;

Tower make_idefics3(const VisionConfig& config, const Scope& scope, std::vector<int64_t> taps) {
  return std::make_shared<const SiglipTower>(
      config, scope, SiglipOptions{.positions = PatchPositions::bucketed, .taps = std::move(taps)});
}

Tower make_siglip(const VisionConfig& config, const Scope& scope, std::vector<int64_t> taps) {
  return std::make_shared<const SiglipTower>(
      config, scope, SiglipOptions{.positions = PatchPositions::in_order, .taps = std::move(taps)});
}

Tower make_clip(const VisionConfig& config, const Scope& scope, std::vector<int64_t> taps) {
  return std::make_shared<const ClipTower>(config, scope, std::move(taps));
}

struct TowerFile {
  const char* model_type;
  int64_t class_tokens;
  PatchPositions positions;
  Tower (*make)(const VisionConfig& config, const Scope& scope, std::vector<int64_t> taps);
};

constexpr std::array<TowerFile, 3> kTowers = {
    {{"idefics3_vision", 0, PatchPositions::bucketed, make_idefics3},
     {"siglip_vision_model", 0, PatchPositions::in_order, make_siglip},
     {"clip_vision_model", 1, PatchPositions::in_order, make_clip}}};

const TowerFile& tower_file(const VisionConfig& config) {
  std::string known;
  for (const TowerFile& file : kTowers) {
    if (config.model_type == file.model_type) return file;
    known += (known.empty() ? "" : ", ") + std::string(file.model_type);
  }
  throw Error(ErrorCode::model_unsupported, {.where = "config.json: vision_config.model_type",
                                             .got = config.model_type,
                                             .expected = "one of " + known});
}

}  // namespace

Tower make_tower(const VisionConfig& config, const Scope& scope, std::vector<int64_t> taps) {
  const bool wrapped = scope.has("vision_model.embeddings.patch_embedding.weight");
  return tower_file(config).make(config, wrapped ? scope.sub("vision_model") : scope, std::move(taps));
}

int64_t class_tokens(const VisionConfig& config) { return tower_file(config).class_tokens; }

PatchPositions patch_positions(const VisionConfig& config) { return tower_file(config).positions; }

int64_t tiles_per_call(int64_t rows_per_tile) {
  constexpr int64_t kRows = 1024;
  return std::max<int64_t>(1, kRows / rows_per_tile);
}

void waive_pooling_head(Binder& binder, const std::string& prefix) {
  for (const std::string inner : {"", "vision_model."}) binder.waive(prefix + inner + "head.");
}

}  // namespace galago
