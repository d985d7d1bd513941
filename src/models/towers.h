// Which tower a vision_config means: the one place where its model_type is looked at.
// In: a vision_config and the checkpoint's scope. Out: a frozen tower.
#pragma once

#include <memory>
#include <vector>

#include "formats/config/config.h"
#include "formats/weights.h"
#include "nn/vision/siglip.h"
#include "nn/vision/tower.h"

namespace galago {

/// The tower that vision_config.model_type names. scope: the tower's prefix, with or without "vision_model."
/// after it; taps: hidden states to give beside each other, 0 being what enters the first layer; none: the
/// last one as the tower ends. Error{model_unsupported} for a class without a tower here.
std::shared_ptr<const VisionTower> make_tower(const VisionConfig& config, const Scope& scope,
                                              std::vector<int64_t> taps = {});

/// VisionTower::class_tokens() of that tower, known without weights.
int64_t class_tokens(const VisionConfig& config);
/// How its patches find their positions. In order: tiles must be whole and of image_size.
PatchPositions patch_positions(const VisionConfig& config);

/// Tiles of so many rows that go through a tower together: enough rows for the products, little enough
/// scratch to stay near the core.
int64_t tiles_per_call(int64_t rows_per_tile);

/// SigLIP's pooling head, which no forward pass reads, may stay in a tower's checkpoint.
void waive_pooling_head(Binder& binder, const std::string& prefix);

}  // namespace galago
