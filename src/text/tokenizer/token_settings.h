// tokenizer_config.json and the older files beside it, merged as the reference merges them.
// In: a model's files. Out: the recipe of the tokenizer, its named tokens, the tokens that the files add to
// the vocabulary. Reference: transformers 5.18 tokenization_utils_base.py (_from_pretrained),
// tokenization_utils_tokenizers.py (TokenizersBackend.__init__).
#pragma once

#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "formats/json.h"
#include "formats/model_files.h"
#include "text/tokenizer/tokenizer_class.h"

namespace galago {

/// What the files beside the vocabulary say. Tokens are objects as in the "added_tokens" of a tokenizer.json,
/// without ids.
struct TokenSettings {
  TokenizerRecipe recipe;
  Json config = Json::object();  ///< tokenizer_config.json, special_tokens_map.json merged in
  std::string where;             ///< tokenizer_config.json, for errors
  /// added_tokens_decoder, or added_tokens.json where the config has none.
  std::map<int64_t, Json> decoder;
  bool has_decoder =
      false;  ///< the config has added_tokens_decoder: the vocabulary file's list is passed over

  /// The named special tokens, in the reference's order: (key, token).
  std::vector<std::pair<std::string, Json>> named() const;
  /// The special tokens without a name; nothing when no file speaks of them.
  std::optional<std::vector<Json>> extra() const;
  /// The text of a named token; empty when there is none.
  std::string name(const std::string& key) const;
  /// A flag of the config; `fallback` when it is absent or null.
  bool flag(const std::string& key, bool fallback) const;
};

/// Error{model_invalid} for malformed files.
TokenSettings read_token_settings(const ModelFiles& files);

}  // namespace galago
