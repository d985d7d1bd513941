// A LoRA adapter as peft saves it: small matrices that are added to a model's own, and tensors that take the
// place of its own. In: a directory with adapter_config.json and adapter_model.safetensors. Out: what it does
// to which tensor, under the names that the model's checkpoint has. Reference: peft 0.21 LoraConfig,
// tuners/lora/layer.py and dora.py.
#pragma once

#include <filesystem>
#include <map>
#include <string>

#include "formats/safetensors/safetensors.h"

namespace galago {

/// The largest lora_alpha, and the largest scale of a user: their product is far within a float.
inline constexpr double kMostLoraScale = 1e6;

/// What an adapter adds to one matrix W [out, in]: scale * B A. Of an embedding table [in, out]: scale * (B
/// A)^T.
struct LoraMatrix {
  TensorView a;     ///< [r, in]; of a convolution [r, in, h, w]
  TensorView b;     ///< [out, r]; of a convolution [out, r, 1, 1]
  TensorView bias;  ///< [out], added as scale * bias to the module's own; no data where there is none
  TensorView
      magnitude;  ///< [out] of DoRA: the rows of the sum get these lengths; no data where there is none
  bool embedding = false;
  double scale = 1;  ///< lora_alpha / r, with rslora lora_alpha / sqrt(r)
};

/// One adapter. Views live as long as a copy of `tensors`.
struct LoraAdapter {
  Checkpoint tensors;
  std::map<std::string, LoraMatrix>
      matrices;  ///< by the tensor that is changed, "model.layers.0.mlp.up_proj.weight"
  std::map<std::string, TensorView>
      replaced;          ///< modules_to_save, biases, resized tables: by the tensor's name
  std::string base;      ///< base_model_name_or_path; may be empty
  std::string revision;  ///< of the base in the hub; may be empty
};

/// Whether a directory holds an adapter and no model: adapter_config.json and no config.json.
bool is_lora_adapter(const std::filesystem::path& directory);

/// Reads and checks an adapter. Error{model_unsupported} names what is not followed: another kind of adapter,
/// an initialisation that changes the base, layers of another arithmetic; Error{model_invalid} lists tensors
/// that are unknown or do not fit each other; Error{not_found}, and the errors of Checkpoint::open_file.
LoraAdapter read_lora_adapter(const std::filesystem::path& directory);

}  // namespace galago
