// The names are those that the tokenizer itself is built with.
#include "text/tokenizer/token_names.h"

#include "text/tokenizer/tokenizer_files.h"

namespace galago {

TokenNames read_token_names(const ModelFiles& files) {
  const TokenSettings settings = read_named_settings(files);
  TokenNames names;
  for (const auto& [key, token] : settings.named()) {
    const auto text = token["content"].get<std::string>();
    if (key == "bos_token")
      names.bos = text;
    else if (key == "eos_token")
      names.eos = text;
    else
      names.others.emplace_back(key, text);
  }
  return names;
}

}  // namespace galago
