// The post-processor of a tokenizer file: ids that are put around an encoded prompt, such as a start token.
// In: the "post_processor" field; add_bos_token and add_eos_token of tokenizer_config.json, which replace it.
// Out: ids in front and behind. Reference: `tokenizers` TemplateProcessing ("single"); transformers 5.18
// tokenization_utils_tokenizers.py, update_post_processor.
#pragma once

#include <cstdint>
#include <vector>

#include "io/json.h"

namespace galago {

struct PostProcessor {
  std::vector<int32_t> prefix;
  std::vector<int32_t> suffix;

  /// TemplateProcessing, ByteLevel (adds nothing) or a Sequence of them; Error{model_unsupported} otherwise.
  static PostProcessor from_json(const JsonField& field);
};

}  // namespace galago
