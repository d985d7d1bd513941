// The typed contents of a Hugging Face model directory's JSON files.
// In: config.json, preprocessor_config.json, processor_config.json, generation_config.json. Out: structs
// whose fields carry the Hugging Face names, one config for each family. Both spellings that occur in the
// wild are read; a default is stated at its line. Reference: transformers 5.18 Idefics3Config, SmolVLMConfig,
// LlamaConfig, Idefics3ImageProcessor, GenerationConfig.
#pragma once

#include <array>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "formats/model_files.h"

namespace galago {

/// vision_config: a ViT encoder.
struct VisionConfig {
  std::string model_type;
  int64_t hidden_size = 0;
  int64_t intermediate_size = 0;
  int64_t num_hidden_layers = 0;
  int64_t num_attention_heads = 0;
  int64_t num_channels = 3;
  int64_t image_size = 0;  ///< pixels
  int64_t patch_size = 0;  ///< pixels
  float layer_norm_eps = 0;
  std::string hidden_act;

  /// Patches on one side of a full tile.
  int64_t patches_per_side() const { return image_size / patch_size; }
};

/// rope_scaling / rope_parameters: how the rotary frequencies follow from theta.
struct RopeConfig {
  float rope_theta = 10000.0F;
  /// "default" ("dynamic" too, which is the same up to max_position_embeddings), "linear", "llama3", "yarn",
  /// "longrope" or "proportional".
  std::string rope_type = "default";
  float factor = 1.0F;
  float low_freq_factor = 1.0F;
  float high_freq_factor = 4.0F;
  int64_t original_max_position_embeddings = 0;
  std::vector<float> divisors;  ///< "longrope": of each pair's frequency
  /// "longrope": in their place in texts of more than original_max_position_embeddings; empty: the same.
  std::vector<float> long_divisors;
  float attention_scaling = 1.0F;      ///< of cosines and sines: "yarn", "longrope"
  double beta_fast = 32;               ///< "yarn": turns within the original length that keep a frequency
  double beta_slow = 1;                ///< and those that stretch it
  bool truncate = true;                ///< "yarn": both bounds at whole pairs
  double partial_rotary_factor = 1.0;  ///< "proportional": the part of a head that turns
};

/// text_config: a Llama-like decoder.
struct TextConfig {
  std::string model_type;
  int64_t vocab_size = 0;
  int64_t hidden_size = 0;
  int64_t intermediate_size = 0;
  int64_t num_hidden_layers = 0;
  int64_t num_attention_heads = 0;
  int64_t num_key_value_heads = 0;
  int64_t head_dim = 0;
  int64_t max_position_embeddings = 0;
  float rms_norm_eps = 0;
  std::string hidden_act;
  RopeConfig rope;
  bool attention_bias = false;
  bool mlp_bias = false;
  float embedding_multiplier = 1;             ///< on every row that enters the first layer
  float residual_multiplier = 1;              ///< on what a layer adds to its residual stream
  float logits_scaling = 1;                   ///< the logits' divisor
  std::optional<float> attention_multiplier;  ///< on q . k; 1 / sqrt(head_dim) where the class has none
  std::optional<int64_t> sliding_window;      ///< positions a row sees, its own included; none: all before it
  bool prompt_sees_all = false;               ///< the window is of rows behind the prompt only
};

/// What every family's config.json says.
struct ModelConfig {
  std::string model_type;
  std::vector<std::string> architectures;
  VisionConfig vision;  ///< num_hidden_layers is 0 for a model without a tower
  TextConfig text;
  int64_t image_token_id = -1;  ///< -1: no image token
  bool tie_word_embeddings = false;
  std::string dtype;  ///< as saved, e.g. "bfloat16"; empty when absent. Each tensor's own type decides
};

/// config.json of model_type idefics3 and smolvlm.
struct Idefics3Config : ModelConfig {
  int64_t scale_factor = 0;
  /// Width of the connector's rows, galago's own key: where it is absent, the text model's, as in
  /// transformers; another width goes through hidden align.
  int64_t connector_hidden_size = 0;
};

/// Pillow's resampling filters, by its numbers.
enum class Resample { nearest = 0, lanczos = 1, bilinear = 2, bicubic = 3, box = 4, hamming = 5 };

/// Whose resize gives a picture's bytes. Pillow 12 and 13 differ in which of the two passes comes first, and
/// torch in its weights (docs/preprocessing.md).
enum class Resizer { pillow13, pillow12, torch };
/// Of Pillow's major version; Error{usage} for another than 12 and 13.
Resizer pillow_resizer(int version);

/// How bytes become the tower's floats: bytes * rescale_factor, then (x - mean) / std, colour by colour.
struct PixelScaling {
  bool do_rescale = true;
  double rescale_factor = 1.0 / 255;
  bool do_normalize = true;
  std::array<double, 3> image_mean{0.5, 0.5, 0.5};
  std::array<double, 3> image_std{0.5, 0.5, 0.5};
};

/// preprocessor_config.json of idefics3 and smolvlm: what happens to an image before the tower.
struct PreprocessorConfig : PixelScaling {
  bool do_convert_rgb = true;
  bool do_resize = true;
  int64_t size_longest_edge = 0;  ///< pixels; 0: size_height and size_width say it
  int64_t size_height = 0;
  int64_t size_width = 0;
  Resample resample = Resample::lanczos;
  Resizer resizer = Resizer::pillow13;  ///< asked for at load, not in the file
  bool do_image_splitting = true;
  int64_t max_image_size_longest_edge = 0;  ///< pixels: the side of a tile
  bool do_pad = true;
};

/// The video processor's settings: how a video becomes frames, and a frame becomes a tile.
struct VideoConfig : PixelScaling {
  bool do_resize = true;
  int64_t size_longest_edge = 0;  ///< pixels, after the first resize
  Resample resample = Resample::lanczos;
  int64_t max_image_size_longest_edge = 0;  ///< pixels: the side of a frame's tile
  std::optional<int64_t> num_frames;        ///< at most so many are sampled; none, like fps: all are taken
  std::optional<double> fps;                ///< sampled a second
};

/// processor_config.json: rows that one tile takes in the prompt; absent in some directories.
struct ProcessorConfig {
  std::optional<int64_t> image_seq_len;
};

/// What is added to the score of the last of some ids when those before it have just come.
struct SequenceBias {
  std::vector<int32_t> ids;
  double bias = 0;
};

/// From `start` tokens of an answer on, the scores of end tokens grow by a factor with each one.
struct LengthDecay {
  int64_t start = 0;
  double factor = 1;
};

/// What generation_config.json asks of every answer, greedy or not. Names of transformers' GenerationConfig.
struct GenerationRules {
  double repetition_penalty = 1;
  int64_t no_repeat_ngram_size = 0;
  int64_t min_length = 0;  ///< of prompt and answer
  int64_t min_new_tokens = 0;
  std::vector<std::vector<int32_t>> bad_words;
  std::vector<int32_t> suppress_tokens;
  std::vector<int32_t> begin_suppress_tokens;
  std::vector<SequenceBias> sequence_bias;
  std::optional<LengthDecay> exponential_decay;
};

/// generation_config.json (or the fields of config.json where that file is absent).
struct GenerationConfig {
  std::vector<int32_t> eos_token_id;
  std::optional<int32_t> pad_token_id;
  std::optional<int32_t> bos_token_id;
  GenerationRules rules;
  /// The keys that ask for sampling, when do_sample does, e.g. "temperature 0.6": a caller's choice.
  std::vector<std::string> sampling;
};

/// The settings of an idefics3 or smolvlm directory.
struct Idefics3Settings {
  Idefics3Config model;
  PreprocessorConfig preprocessor;
  ProcessorConfig processor;
};

/// Parses one file's text; `where` names it in errors. Error{model_invalid} names the field, what it held and
/// what is allowed.
Idefics3Config parse_idefics3_config(std::string_view json, const std::string& where);
/// A text model alone: its settings lie at the top of config.json. Error{model_unsupported} for a class that
/// the decoder does not run.
ModelConfig parse_text_model_config(std::string_view json, const std::string& where);
PreprocessorConfig parse_preprocessor_config(std::string_view json, const std::string& where);
ProcessorConfig parse_processor_config(std::string_view json, const std::string& where);
/// `json` is nothing when the file is absent; then each key counts as config.json, whose text `model_json`
/// is, has it at its top, else in its text_config. `where` names the file that is read.
/// Error{model_unsupported} for a key that would change an answer and is not followed.
GenerationConfig parse_generation_config(std::optional<std::string_view> json, std::string_view model_json,
                                         const std::string& where);

/// The settings of the video processor, from the first of processor_config.json ("video_processor"),
/// video_preprocessor_config.json and preprocessor_config.json. Error{not_found} when none is there.
VideoConfig read_video_config(const ModelFiles& files);
/// processor_class of processor_config.json, preprocessor_config.json or tokenizer_config.json; empty: none.
std::string read_processor_class(const ModelFiles& files);

/// config.json's model_type. Error{not_found}, Error{model_invalid}.
std::string read_model_type(const ModelFiles& files);
GenerationConfig read_generation_config(const ModelFiles& files);
/// Error{not_found} when config.json or the image processor's settings are missing.
Idefics3Settings read_idefics3_settings(const ModelFiles& files);

}  // namespace galago
