// The settings of a LLaVA-NeXT directory: config.json, the image processor's and the processor's file.
// In: their texts. Out: structs whose fields carry the Hugging Face names; a default is stated at its line.
// Reference: transformers 5.18 LlavaNextConfig, LlavaNextImageProcessorPil, LlavaNextProcessor.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "formats/config/config.h"
#include "formats/model_files.h"

namespace galago {

/// A size in pixels in the order of the files, height first.
struct Resolution {
  int64_t height = 0;
  int64_t width = 0;

  bool operator==(const Resolution&) const = default;
};

/// config.json of model_type llava_next.
struct LlavaNextConfig : ModelConfig {
  /// Hidden states of the tower to use, counted from the front: 0 is what enters its first layer.
  std::vector<int64_t> vision_feature_layer;
  /// "default": a class token's row is left out; "full": every row is used.
  std::string vision_feature_select_strategy;
  std::string projector_hidden_act;
  bool multimodal_projector_bias = true;
  std::vector<Resolution> image_grid_pinpoints;
};

/// The image processor of llava_next.
struct AnyResolutionConfig : PixelScaling {
  bool do_resize = true;
  Resolution size;  ///< that base image and tiles are resized to; {"shortest_edge": n} makes squares squares
  bool do_center_crop = true;
  Resolution crop_size;
  Resample resample = Resample::bicubic;
  Resizer resizer = Resizer::pillow13;  ///< asked for at load, not in the file
  int64_t tile_side = 0;                ///< the edge of the squares that a padded picture is cut into
  std::vector<Resolution> image_grid_pinpoints;
};

/// processor_config.json of llava_next; nothing: the key or the file is absent.
struct LlavaNextProcessorConfig {
  std::optional<int64_t> patch_size;
  std::optional<std::string> vision_feature_select_strategy;
  std::optional<int64_t> num_additional_image_tokens;
  std::string image_token = "<image>";
};

struct LlavaNextSettings {
  LlavaNextConfig model;
  AnyResolutionConfig preprocessor;
  LlavaNextProcessorConfig processor;
};

/// Parses one file's text; `where` names it in errors. Error{model_invalid} names the field, what it held and
/// what is allowed; Error{model_unsupported} for a value that galago does not run.
LlavaNextConfig parse_llava_next_config(std::string_view json, const std::string& where);
AnyResolutionConfig parse_any_resolution_config(std::string_view json, const std::string& where);
LlavaNextProcessorConfig parse_llava_next_processor_config(std::string_view json, const std::string& where);
/// Error{not_found} when config.json or the image processor's settings are missing.
LlavaNextSettings read_llava_next_settings(const ModelFiles& files);

}  // namespace galago
