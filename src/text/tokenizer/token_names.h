// The special tokens that a model's files name.
// In: a model's files. Out: their texts, for chat templates.
// Reference: transformers 5.18 tokenization_utils_base.py; a token is a string or an object with "content".
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "formats/model_files.h"

namespace galago {

struct TokenNames {
  std::string bos;  ///< empty when no file names one
  std::string eos;
  /// The other named special tokens: ("unk_token", "<unk>").
  std::vector<std::pair<std::string, std::string>> others;
};

/// What the files of a tokenizer name, its class where they do not. Error{model_invalid}.
TokenNames read_token_names(const ModelFiles& files);

}  // namespace galago
