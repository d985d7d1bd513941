// Which tool quantised a model directory's weights, and their floats. In: config.json, a checkpoint. Out: the
// checkpoint with float matrices in place of packed ones, made when they are asked for; a note for the user.
#pragma once

#include <string>
#include <vector>

#include "formats/json.h"
#include "formats/safetensors/safetensors.h"

namespace galago {

/// Refuses what cannot be read: quantization_config of a method that galago does not know, or a variant of
/// it. Error{model_unsupported} names the method and a way out.
void check_quantization(const JsonField& config);

/// What is done to a directory's weights, a line each: "weights stored by gptq".
std::vector<std::string> quantization_notes(const JsonField& config);

/// Puts float matrices in place of packed ones, as config.json's quantization_config (or mlx's
/// "quantization") says, and gives what mlx wrote transformers' names and layout. Sizes are checked before
/// anything is made of them: Error{model_invalid}, Error{model_unsupported}.
void unpack_prequantised(Checkpoint& checkpoint, const JsonField& config);

}  // namespace galago
