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

std::vector<AnswerCall> Service::completion_calls(const SharedCall& call, const OrderedJson& body) {
  const ReadContext context = reading(call);
  std::vector<AnswerCall> calls;
  for (const OrderedJson& prompt : prompts_of(body)) {
    calls.push_back(answer_call(call, body));
    read_completion(body, prompt, context, calls.back());
  }
  return calls;
}

void Service::completions(const SharedCall& call) {
  std::vector<AnswerCall> calls = completion_calls(call, body_of(*call));
  if (calls.size() > 1 && calls[0].echo) refuse_field("echo", "true", "one prompt");
  auto writer = completion_writer(calls[0]);
  answer(call, std::move(calls), std::move(writer));
}

void Service::native_completion(const SharedCall& call) {
  std::vector<AnswerCall> calls = completion_calls(call, body_of(*call));
  auto writer = native_writer(calls);
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
