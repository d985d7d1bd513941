// The post-processor of a tokenizer file: ids that are put around an encoded prompt, such as a start token.
// In: the "post_processor" field. Out: ids in front and behind.
// Reference: `tokenizers` TemplateProcessing ("single").
#pragma once

#include <cstdint>
#include <vector>

#include "formats/json.h"

namespace galago {

struct PostProcessor {
  std::vector<int32_t> prefix;
  std::vector<int32_t> suffix;

  /// TemplateProcessing, ByteLevel (adds nothing) or a Sequence of them; Error{model_unsupported} otherwise.
  static PostProcessor from_json(const JsonField& field);
};

}  // namespace galago
