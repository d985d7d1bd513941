// Finds the vision tower inside a checkpoint by its tensor names, wherever it lies, and reads its sizes off
// the shapes. In: the tensors of a checkpoint, one file or many. Out: the prefix, the layout (SigLIP or
// CLIP), the sizes, and the tensors under names without prefix. No weight is read. Reference: the module
// names of transformers 5.18 SiglipVisionModel and CLIPVisionModel.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>

#include "formats/safetensors/safetensors.h"

namespace galago {

/// How a tower's tensors are laid out. CLIP has a class token and a norm before the layers, SigLIP neither.
enum class TowerLayout { siglip, clip };
const char* to_string(TowerLayout layout) noexcept;

/// A tower found in a checkpoint. What shapes cannot tell (the number of heads, the activation, the norms'
/// eps, pixels beyond the last whole patch) must come from a config.
struct ExtractedTower {
  TowerLayout layout = TowerLayout::siglip;
  std::string prefix;  ///< of the names in the checkpoint: empty, or ending in '.'
  int64_t num_hidden_layers = 0;
  int64_t hidden_size = 0;        ///< C
  int64_t intermediate_size = 0;  ///< width inside the MLP
  int64_t num_channels = 0;
  int64_t patch_size = 0;  ///< pixels
  int64_t positions = 0;   ///< rows of the position table that belong to patches, a square number
  int64_t grid_side = 0;   ///< its root
  bool pooling_head = false;
  /// "embeddings.patch_embedding.weight" and so on, as the checkpoint lists them: what it makes has no data.
  std::map<std::string, TensorView> tensors;
};

/// Looks for a tower under `vision_tower`, `vision`, `vision_model`, `visual` and `model`, in any combination
/// (`model.vision_tower.vision_model.`), and without prefix; with `prefix`, only there, whatever it is
/// called. Errors: not_found when nothing looks like a tower (the names that were seen are listed);
/// model_invalid for two towers, for one that lacks tensors, has others than its layout, gaps between its
/// layers, or shapes that contradict each other; model_unsupported for fused query-key-value weights and
/// other layouts.
ExtractedTower extract_vision_tower_from_checkpoint(const Checkpoint& checkpoint,
                                                    const std::optional<std::string>& prefix = {});

}  // namespace galago
