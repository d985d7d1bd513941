// The records of items that have none of their own.
#include "batch/batch.h"
#include "messages/answer_json.h"

namespace galago::batch {
namespace {

std::string written(const OrderedJson& json) {
  return json.dump(-1, ' ', false, OrderedJson::error_handler_t::replace);
}

}  // namespace

std::string answer_record(const std::string& id, const Answer& answer, bool timings) {
  OrderedJson json{{"id", id},
                   {"text", answer.text},
                   {"finish_reason", to_string(answer.finish_reason)},
                   {"usage",
                    {{"prompt_tokens", answer.usage.prompt_tokens},
                     {"image_tokens", answer.usage.image_tokens},
                     {"completion_tokens", answer.usage.completion_tokens}}}};
  if (answer.confidence) json["confidence"] = confidence_json(*answer.confidence);
  if (!answer.elements.empty()) json["elements"] = elements_json(answer.elements);
  if (!answer.tokens.empty()) json["tokens"] = tokens_json(answer.tokens);
  if (!answer.prompt_tokens.empty()) json["prompt_tokens"] = tokens_json(answer.prompt_tokens);
  if (timings) json["timings"] = timings_json(answer.timings);
  return written(json);
}

std::string error_record(const std::string& id, const Error& error) {
  OrderedJson json{{"id", id}};
  json.update(error_json(error));
  return written(json);
}

}  // namespace galago::batch
