// The settings of a SigLIP directory, or of a SigLIP2 one for pictures of any shape (NaFlex): two encoders,
// and how a picture becomes the tower's input. In: config.json, preprocessor_config.json (or image_processor
// in processor_config.json), tokenizer_config.json. Out: structs with the Hugging Face field names.
// Reference: transformers 5.18 SiglipConfig, SiglipImageProcessorPil, Siglip2Config,
// Siglip2ImageProcessorPil.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "formats/config/config.h"
#include "formats/model_files.h"

namespace galago {

/// text_config: a transformer encoder over token ids.
struct SiglipTextConfig {
  int64_t vocab_size = 0;
  int64_t hidden_size = 0;
  int64_t intermediate_size = 0;
  int64_t num_hidden_layers = 0;
  int64_t num_attention_heads = 0;
  int64_t max_position_embeddings = 0;  ///< ids in every text, padding included
  int64_t projection_size = 0;          ///< width of the embedding
  float layer_norm_eps = 0;
  std::string hidden_act;
};

/// config.json of model_type siglip and siglip2.
struct SiglipConfig {
  std::string model_type;
  std::string dtype;  ///< as saved; empty when absent. Each tensor's own type decides
  /// Of siglip2, image_size is that of a square picture whose patches take the num_patches positions one by
  /// one.
  VisionConfig vision;
  SiglipTextConfig text;
};

/// How a picture of any shape becomes one of a fixed size.
struct FixedSizeConfig : PixelScaling {
  bool do_resize = true;
  int64_t height = 0;  ///< pixels
  int64_t width = 0;
  Resample resample = Resample::bicubic;
  Resizer resizer = Resizer::pillow13;  ///< asked for at load, not in the file
};

/// How a picture of any shape becomes patches (NaFlex): resized so that it is cut into at most so many.
struct NaflexConfig : PixelScaling {
  bool do_resize = true;
  int64_t patch_size = 0;  ///< pixels of a side
  int64_t max_num_patches = 0;
  Resample resample = Resample::bilinear;
  Resizer resizer = Resizer::pillow13;  ///< asked for at load, not in the file
};

struct SiglipSettings {
  SiglipConfig model;
  FixedSizeConfig preprocessor;
  bool attention_mask = true;  ///< whether padding is hidden from a text's other ids
};

struct NaflexSettings {
  SiglipConfig model;
  NaflexConfig preprocessor;
  bool attention_mask = true;  ///< as in SiglipSettings
};

/// Parses one file's text; `where` names it in errors. Error{model_invalid} names the field, what it held and
/// what is allowed; Error{model_unsupported} for a projection width that is not the vision tower's, a tower
/// without pooling head, or a size by one edge.
SiglipConfig parse_siglip_config(std::string_view json, const std::string& where);
FixedSizeConfig parse_fixed_size_config(std::string_view json, const std::string& where);
/// The same of siglip2. Error{model_invalid} also for num_patches that make no square table, and for patches
/// that hold more than limits::kTilePixels.
SiglipConfig parse_siglip2_config(std::string_view json, const std::string& where);
NaflexConfig parse_naflex_config(std::string_view json, const std::string& where);
/// Error{model_invalid} also when the processor's size is not the tower's image_size. attention_mask is what
/// model_input_names of tokenizer_config.json say; without that key it is on, as in the reference.
SiglipSettings read_siglip_settings(const ModelFiles& files);
/// Error{model_invalid} also when the processor's patch_size is not the tower's.
NaflexSettings read_naflex_settings(const ModelFiles& files);

}  // namespace galago
