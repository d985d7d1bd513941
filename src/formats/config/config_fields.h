// What the readers of the families' settings share: optional keys with their ranges and defaults, encoders,
// decoders, image processors. Internal to src/formats.
#pragma once

#include <array>
#include <cstdint>
#include <initializer_list>
#include <optional>
#include <string>

#include "formats/config/config.h"
#include "formats/json.h"

namespace galago {

/// Allowed integers, both ends included.
struct IntegerRange {
  int64_t least = 1;
  int64_t most = 0;
};

inline int64_t integer_or(const JsonField& object, const std::string& key, IntegerRange range,
                          int64_t fallback) {
  const auto field = object.find(key);
  return field ? field->integer(range.least, range.most) : fallback;
}

inline bool boolean_or(const JsonField& object, const std::string& key, bool fallback) {
  const auto field = object.find(key);
  return field ? field->boolean() : fallback;
}

inline std::string string_or(const JsonField& object, const std::string& key, const std::string& fallback) {
  const auto field = object.find(key);
  return field ? field->string() : fallback;
}

/// hidden_act: a transformers name of an activation that the kernels have, or Error{model_unsupported}.
std::string read_activation(const JsonField& object, const std::string& fallback);
/// A norm's eps, 0..1.
float read_epsilon(const JsonField& object, const std::string& key, float fallback);
/// Error{model_invalid} unless `divisor`, called `of`, divides the value under `key`.
void check_divides(const JsonField& object, const std::string& key, int64_t value, const std::string& of,
                   int64_t divisor);

/// The first of several spellings that is there.
std::optional<JsonField> first_of(const JsonField& object, std::initializer_list<const char*> keys);

/// model_type, architectures and dtype of config.json.
void read_common(const JsonField& root, ModelConfig& config);

/// A vision_config; `defaults` are its transformers class's.
VisionConfig read_vision_config(const JsonField& object, const VisionConfig& defaults);
/// The same without image_size, which stays the default's: for towers that take pictures of any shape.
VisionConfig read_vision_encoder(const JsonField& object, const VisionConfig& defaults);

/// The defaults of SiglipVisionConfig and CLIPVisionConfig.
VisionConfig siglip_vision_defaults();
VisionConfig clip_vision_defaults();
/// The vision_config of a family that takes several towers, chosen by its model_type, `absent_type` when that
/// is absent. Error{model_unsupported} for another class.
VisionConfig read_tower_config(const JsonField& object, const std::string& absent_type);
/// Whether read_tower_config knows the class.
bool is_tower_class(const std::string& model_type);

/// rope_theta, rope_parameters and rope_scaling of a text model of `max_positions`.
RopeConfig read_rope(const JsonField& text, int64_t max_positions);

/// A Llama-like decoder's settings; `defaults` are its transformers class's. In them, num_key_value_heads 0
/// means as many as num_attention_heads, and head_dim 0 means hidden_size / num_attention_heads.
TextConfig read_text_config(const JsonField& object, const TextConfig& defaults);
/// The defaults of LlamaConfig.
TextConfig llama_defaults();
/// The same of any class that the decoder runs, chosen by its model_type, "llama" when absent: its own
/// defaults, multipliers and window. Error{model_unsupported} for another class.
TextConfig read_backbone_config(const JsonField& object);

/// Whether the key is there and null, which image processors do not take for "default".
bool is_null(const JsonField& object, const std::string& key);
/// A switch of an image processor: null is off, as in the reference.
bool switch_or(const JsonField& object, const std::string& key, bool fallback);
/// Error{model_invalid} for null under one of these keys, which a step that is on needs.
void refuse_null(const JsonField& object, std::initializer_list<const char*> keys);

/// The keys of PixelScaling, over what it holds.
void read_pixel_scaling(const JsonField& object, PixelScaling& scaling);
/// Pillow's filter number under "resample".
Resample read_resample(const JsonField& object, Resample fallback);

/// {"longest_edge": n} under a key, or a size {"height", "width"} or one number for both, which is fixed:
/// pixels.
struct EdgeOrSize {
  int64_t longest_edge = 0;  ///< 0: height and width say it
  int64_t height = 0;
  int64_t width = 0;
};
EdgeOrSize read_edge_or_size(const JsonField& object, const std::string& key, int64_t longest_edge);
/// {"longest_edge": n} under a key: pixels.
int64_t read_longest_edge(const JsonField& object, const std::string& key, int64_t fallback);

/// The text that holds an image processor's settings, and its name in errors.
struct ImageProcessorText {
  std::string json;
  std::string where;
};
/// processor_config.json where it has "image_processor", else preprocessor_config.json, as in transformers.
/// Error{not_found} when neither is there.
ImageProcessorText read_image_processor(const ModelFiles& files);

}  // namespace galago
