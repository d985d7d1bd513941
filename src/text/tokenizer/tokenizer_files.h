// A model directory's tokenizer as one tokenizer.json, whichever files it lies in.
// In: tokenizer.json, tokenizer.model or spiece.model, and the files beside it. Out: a document in the form
// of tokenizer.json that does what the reference does with the directory: the same stages, the same added
// tokens. Everything behind this is one path. Reference: transformers 5.18 AutoTokenizer.from_pretrained.
#pragma once

#include <string>

#include "formats/json.h"
#include "formats/model_files.h"
#include "text/tokenizer/token_settings.h"

namespace galago {

/// How texts of a fixed length are cut and padded.
struct PaddingRules {
  std::string token;  ///< empty: none named
  bool pad_left = false;
  bool cut_left = false;
};

struct TokenizerDocument {
  Json json;
  std::string where;  ///< the file that holds the vocabulary
  PaddingRules padding;
};

/// The settings alone, with the names that a SentencePiece file gives its special tokens where the config has
/// none.
TokenSettings read_named_settings(const ModelFiles& files);

/// tokenizer.json goes first, except for SigLIP's class, which reads spiece.model. Error{not_found} when
/// there is no file of a vocabulary, Error{model_invalid}, Error{model_unsupported}.
TokenizerDocument read_tokenizer_document(const ModelFiles& files);

}  // namespace galago
