// The order of the three ways.
#include "runtime/backbone.h"

#include <string>

#include "galago/error.h"

namespace galago {

GenerateWay choose_way(const GenerateWays& ways, int64_t image_tokens) {
  if (ways.from_embeds) return GenerateWay::from_embeds;
  if (ways.inputs_embeds) return GenerateWay::inputs_embeds;
  if (!ways.input_ids)
    throw Error(ErrorCode::model_unsupported,
                {"text backbone", "no way to generate",
                 "generate_from_embeds, generate(inputs_embeds) or generate(input_ids)", ""});
  if (image_tokens > 0)
    throw Error(ErrorCode::model_unsupported,
                {"text backbone",
                 "token ids as its only input, and " + std::to_string(image_tokens) + " image tokens",
                 "a backbone that takes embeddings", "ask without an image"});
  return GenerateWay::input_ids;
}

}  // namespace galago
