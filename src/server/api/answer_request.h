// Bodies of the routes that answer, as requests of the engine: pictures opened, messages read.
#pragma once

#include "server/api/generation_fields.h"
#include "server/media/media.h"

namespace galago::server {

/// What reading needs beside the body.
struct ReadContext {
  const ApiOptions& api;
  const MediaLoader& media;
  MediaUse& use;
};

/// POST /v1/chat/completions (and its input_tokens, /apply-template).
void read_chat(const OrderedJson& body, const ReadContext& context, AnswerCall& call);
/// POST /v1/completions and /completion: one of the prompts.
void read_completion(const OrderedJson& body, const OrderedJson& prompt, const ReadContext& context,
                     AnswerCall& call);
/// The prompts of a completion: a text, a list of texts, or token ids. ApiError.
std::vector<OrderedJson> prompts_of(const OrderedJson& body);
/// POST /v1/responses.
void read_response(const OrderedJson& body, const ReadContext& context, AnswerCall& call);

}  // namespace galago::server
