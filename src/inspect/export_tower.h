// A vision tower as a Hugging Face directory of its own, which transformers loads as SiglipVisionModel or
// CLIPVisionModel. In: a tower found in a checkpoint, and what its config says. Out: config.json,
// model.safetensors, preprocessor_config.json. Weights are copied as they are, 16 bits stay 16 bits.
// Reference: transformers 5.18 SiglipVisionModel, CLIPVisionModel and their configs and image processors.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <string>

#include "formats/config/config.h"
#include "formats/model_files.h"
#include "io/atomic_directory.h"
#include "nn/vision/extract.h"
#include "nn/vision/siglip.h"

namespace galago {

/// What a tower's shapes cannot tell.
struct TowerSettings {
  int64_t num_attention_heads = 0;
  int64_t image_size = 0;  ///< pixels; 0: the patches of the position table, nothing beside them
  std::string hidden_act = "gelu_pytorch_tanh";
  float layer_norm_eps = 1e-6F;
  PatchPositions positions = PatchPositions::in_order;
  PixelScaling scaling;
  Resample resample = Resample::bicubic;
};

/// The settings of a model's tower: `vision` (load_vision_config) and the image processor's file. `tower`
/// must have the sizes that config.json says (Error{model_invalid} names the one that differs).
TowerSettings read_tower_settings(const ModelFiles& files, const VisionConfig& vision,
                                  const ExtractedTower& tower);

/// How a folder is written.
struct ExportOptions {
  Existing existing = Existing::refuse;
  std::function<bool()> go_on;  ///< asked between tensors and before the folder appears; false stops
};

/// Writes the directory. With bucketed positions, row i of the table written is the row that patch i of a
/// whole tile takes, so that a tower which counts patches one by one gives the same features; the return
/// value is the number of rows that this changed. Errors: model_invalid when heads or image size do not fit
/// the shapes, model_unsupported for bucketed positions of a CLIP tower, output_io, and usage when `folder`
/// is where the checkpoint lies. Cancelled when go_on said so, and nothing is left behind.
int64_t to_hf_api(const Checkpoint& checkpoint, const ExtractedTower& tower, const TowerSettings& settings,
                  const std::filesystem::path& folder, const ExportOptions& options = {});

}  // namespace galago
