// The order of the three ways. In: what is offered and a request. Out: a Generation.
#include "runtime/fallback.h"

#include <string>

#include "galago/error.h"
#include "runtime/options.h"

namespace galago {
namespace {

// Ids that a backbone made on its own, cut and turned into text by the request's rules.
Generation collect(std::span<const int32_t> ids, const GenerateRequest& request, TokenText& text) {
  const GenerateOptions& options = request.options;
  const bool keep_end = options.keep_special.value_or(false);
  AnswerBuilder answer({request.end_ids, options.stop, &request.on_piece, keep_end}, text);
  int64_t room = new_tokens(options);
  for (const int32_t id : ids) {
    if (!answer.push(id) || --room == 0) break;
  }
  Generation result = answer.finish();
  result.usage.prompt_tokens = static_cast<int64_t>(request.ids.size());
  result.usage.image_tokens = request.image_tokens;
  return result;
}

}  // namespace

Generation generate_answer(const Backbone& backbone, const GenerateRequest& request, TokenText& text) {
  check_options(request.options);
  if (backbone.from_embeds != nullptr) return backbone.from_embeds->generate_from_embeds(request, text);
  if (backbone.from_input_embeds != nullptr) {
    return collect(backbone.from_input_embeds->generate(request.rows, request.options), request, text);
  }
  if (backbone.from_input_ids == nullptr) {
    throw Error(ErrorCode::model_unsupported,
                {"text backbone", "no way to generate",
                 "generate_from_embeds, generate(inputs_embeds) or generate(input_ids)", ""});
  }
  if (request.image_tokens > 0) {
    throw Error(ErrorCode::model_unsupported,
                {"text backbone",
                 "token ids as its only input, and " + std::to_string(request.image_tokens) + " image tokens",
                 "a backbone that takes embeddings", "ask without an image"});
  }
  return collect(backbone.from_input_ids->generate(request.ids, request.options), request, text);
}

}  // namespace galago
