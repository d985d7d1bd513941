// Which recipe the reference builds a tokenizer by: some class names make it keep tokenizer.json's vocabulary
// and put the class's own normalizer, words and decoder around it; others take the file as it is.
// In: tokenizer_config.json's tokenizer_class and config.json's model_type. Out: a recipe.
// Reference: transformers 5.18 models/auto/tokenization_auto.py (AutoTokenizer.from_pretrained).
#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace galago {

/// What a tokenizer class does with the files.
struct TokenizerRecipe {
  enum class Kind {
    as_is,      ///< tokenizer.json counts as a whole
    metaspace,  ///< Llama 2's: "▁" before the text, byte fallback
    bytes,      ///< GPT-2's: bytes, one pattern
    spaces,     ///< Gemma's: "▁" for spaces, no space added
    plain_text  ///< SigLIP's: lower case without punctuation, SentencePiece's own normalizer
  } kind = Kind::as_is;
  bool lower_case = false;
  bool pad_left = false;  ///< where padding goes when the config does not say
  /// Special tokens that the class names where the config does not; (key, text).
  std::vector<std::pair<std::string, std::string>> names;
};

/// The recipe for a directory; empty texts where the files do not say. A class that is not known here is
/// taken as it is.
TokenizerRecipe tokenizer_recipe(std::string_view tokenizer_class, std::string_view model_type);

}  // namespace galago
