// The start and end tokens that tokenizer_config.json names.
// In: a model directory. Out: their texts, and whether the file asks to add them to prompts.
// Reference: transformers 5.18 tokenization_utils_base.py; a token is a string or an object with "content".
#pragma once

#include <optional>
#include <string>

#include "io/model_files.h"

namespace galago {

struct TokenNames {
  std::string bos;  ///< empty when no file names one
  std::string eos;
  std::optional<bool> add_bos;  ///< add_bos_token; nothing when the file does not say
  std::optional<bool> add_eos;
};

/// Reads tokenizer_config.json and, for names that it lacks, special_tokens_map.json; both may be absent.
TokenNames read_token_names(const ModelFiles& files);

}  // namespace galago
