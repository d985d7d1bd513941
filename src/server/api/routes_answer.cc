// Routes that answer.
#include "server/api/service.h"

namespace galago::server {

void Service::chat(const SharedCall& call) {
  const OrderedJson body = body_of(*call);
  AnswerCall asked = answer_call(call, body);
  read_chat(body, reading(call), asked);
  auto writer = chat_writer(asked);
  std::vector<AnswerCall> calls;
  calls.push_back(std::move(asked));
  answer(call, std::move(calls), std::move(writer));
}

void Service::completions(const SharedCall& call) {
  const OrderedJson body = body_of(*call);
  const std::vector<OrderedJson> prompts = prompts_of(body);
  const ReadContext context = reading(call);
  std::vector<AnswerCall> calls;
  for (const OrderedJson& prompt : prompts) {
    calls.push_back(answer_call(call, body));
    read_completion(body, prompt, context, calls.back());
  }
  if (prompts.size() > 1 && calls[0].echo) refuse_field("echo", "true", "one prompt");
  auto writer = completion_writer(calls[0]);
  answer(call, std::move(calls), std::move(writer));
}

void Service::native_completion(const SharedCall& call) {
  const OrderedJson body = body_of(*call);
  const std::vector<OrderedJson> prompts = prompts_of(body);
  const ReadContext context = reading(call);
  std::vector<AnswerCall> calls;
  for (const OrderedJson& prompt : prompts) {
    calls.push_back(answer_call(call, body));
    read_completion(body, prompt, context, calls.back());
  }
  auto writer = native_writer(calls[0]);
  answer(call, std::move(calls), std::move(writer));
}

void Service::responses(const SharedCall& call) {
  const OrderedJson body = body_of(*call);
  AnswerCall asked = answer_call(call, body);
  read_response(body, reading(call), asked);
  auto writer = responses_writer(asked, body);
  std::vector<AnswerCall> calls;
  calls.push_back(std::move(asked));
  answer(call, std::move(calls), std::move(writer));
}

}  // namespace galago::server
