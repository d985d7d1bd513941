// The form that an answer has to have, in the words of OpenAI (response_format, tools), vLLM
// (structured_outputs, guided_*) and llama-server (json_schema, grammar).
#pragma once

#include "galago/galago.h"
#include "server/api/fields.h"

namespace galago::server {

/// The form that a body asks for; ApiError where it asks for two.
AnswerFormat answer_format(const Fields& body);

/// What tools and tool_choice ask for: the form of a call.
struct ToolChoice {
  std::string tools;  ///< the JSON list, for the template; empty: none
  std::string name;   ///< as AnswerCall::tool
  AnswerFormat format;
};
/// "auto" and none leave the answer free; "required" and a named function make it a call. ApiError.
ToolChoice tool_choice(const Fields& body);

}  // namespace galago::server
