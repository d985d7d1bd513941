// What GgufFiles is made of: one function for each text that it generates, and the checkpoint.
// In: the files' metadata and tensors. Out: JSON in transformers' spelling; tensors under its names.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "formats/json.h"
#include "models/gguf/files.h"

namespace galago {

/// config.json. Error{model_unsupported} for another architecture, projector or rotary scaling.
Json gguf_config(const GgufPair& pair);
/// generation_config.json: where an answer ends.
Json gguf_generation_config(const GgufFile& text);
/// preprocessor_config.json and processor_config.json of a model with a vision file.
Json gguf_preprocessor_config(const GgufPair& pair);
Json gguf_processor_config(const GgufPair& pair);
/// tokenizer.json. Error{model_unsupported} for another tokenizer or pre-tokenizer.
Json gguf_tokenizer(const GgufFile& text);
/// tokenizer_config.json: names of special tokens, what stands around a prompt, the chat template.
Json gguf_tokenizer_config(const GgufFile& text);
/// The id of a token; nothing when the vocabulary lacks it.
std::optional<int64_t> gguf_token_id(const GgufFile& text, std::string_view token);
/// Whether that token controls rather than writes: token_type 3.
bool gguf_is_control(const GgufFile& text, int64_t id);

/// general.architecture, e.g. "llama": the prefix of the architecture's keys.
std::string gguf_architecture(const GgufFile& file);
/// clip.projector_type of a vision file.
std::string gguf_projector(const GgufFile& vision);
/// Whether a vision file is LLaVA's: towers with tapped layers and a two-layer projector.
bool is_llava_projector(const std::string& projector);

/// All tensors under transformers' names, in its order of rows. Numbers that the files do not hold in that
/// form are made when they are asked for.
Checkpoint gguf_checkpoint(const GgufPair& pair);

}  // namespace galago
