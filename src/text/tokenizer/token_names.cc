// The names are those that the tokenizer itself is built with.
#include "text/tokenizer/token_names.h"

#include "text/tokenizer/tokenizer_files.h"

namespace galago {

TokenNames read_token_names(const ModelFiles& files) {
  const TokenSettings settings = read_named_settings(files);
  return {settings.name("bos_token"), settings.name("eos_token")};
}

}  // namespace galago
