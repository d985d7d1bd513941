// See the header. Reference: OpenAI's batch API, its input and output files.
#include "chat_calls.h"

#include <cstdio>
#include <utility>

#include "batch/journal.h"
#include "messages/ordered_json.h"
#include "models/registry.h"
#include "server/api/answer_request.h"
#include "server/api/answer_writer.h"
#include "server/api/api_error.h"
#include "server/api/json_response.h"

namespace galago::cli {
namespace {

using server::AnswerCall;
using server::ApiError;

/// One line on its way.
struct Line {
  std::string text;
  std::string custom_id;
  std::string digits;  ///< of its ids
  OrderedJson body;
  AnswerCall call;
  std::optional<ApiError> error;
};

// Ids are made of the line, so that it has the same ones each time.
std::string digits_of(const std::string& text) {
  char digits[20];
  std::snprintf(digits, sizeof digits, "%016llx", static_cast<unsigned long long>(batch::short_digest(text)));
  return digits;
}

// POST to a chat, one answer, not streamed.
void check_line(const OrderedJson& line) {
  const auto text = [&](const char* key) {
    const auto found = line.find(key);
    return found != line.end() && found->is_string() ? found->get<std::string>() : std::string();
  };
  if (const std::string method = text("method"); !method.empty() && method != "POST")
    server::refuse_field("method", shown_json(method), "POST");
  if (const std::string url = text("url"); !url.empty() && url != "/v1/chat/completions")
    server::refuse_field("url", shown_json(url), "/v1/chat/completions");
  if (!line["body"].is_object()) server::refuse_field("body", shown_json(line["body"]), "an object");
}

Request request_of(Line& line, const server::ServedModel& model, const server::ApiOptions& api,
                   const server::MediaLoader& media) {
  OrderedJson json = parse_ordered_json(std::exchange(line.text, {}), "the line");
  check_line(json);
  line.body = std::move(json["body"]);
  if (!line.body.contains("seed")) line.body["seed"] = 0;
  line.call.model = &model;
  const auto name = line.body.find("model");
  line.call.model_name =
      name != line.body.end() && name->is_string() ? name->get<std::string>() : model.name();
  server::MediaUse use(api.media.max_request_pixels);
  server::read_chat(line.body, {.api = api, .media = media, .use = use}, line.call);
  if (line.call.n != 1) server::refuse_field("n", std::to_string(line.call.n), "1: a line for each answer");
  line.body = {};
  Request request = std::move(line.call.request);
  line.call.request = {.options = request.options};  // which the answer's form depends on
  return request;
}

std::string record_of(const Line& line, int status, OrderedJson body) {
  const OrderedJson response{
      {"status_code", status}, {"request_id", "req_" + line.digits}, {"body", std::move(body)}};
  return server::written({{"id", "batch_req_" + line.digits},
                          {"custom_id", line.custom_id},
                          {"response", response},
                          {"error", nullptr}});
}

std::string answer_line(const Line& line, const Answer& answer, bool timings) {
  OrderedJson body = server::chat_writer(line.call)->whole({&answer, 1});
  body["id"] = "chatcmpl-" + line.digits;
  body["created"] = 0;
  if (!timings) {
    body.erase("timings");
    body["usage"].erase("completion_tokens_details");  // which guesses were tried, time decides
  }
  body.erase("cache");
  OrderedJson& message = body["choices"][0]["message"];
  if (message.contains("tool_calls"))
    for (OrderedJson& call : message["tool_calls"]) call["id"] = "call_" + line.digits;
  return record_of(line, 200, std::move(body));
}

std::string error_line(const Line& line, const Error& error) {
  const ApiError told = line.error ? *line.error : server::as_api_error(std::make_exception_ptr(error));
  return record_of(line, told.status, server::error_json(told));
}

}  // namespace

ChatCalls::ChatCalls(const std::filesystem::path& media, std::optional<int64_t> max_tokens, bool timings)
    : api_({.media = {.media_path = media}, .max_tokens = max_tokens.value_or(0)}),
      media_(api_.media),
      timings_(timings) {}

void ChatCalls::use(const Model& model, const std::string& name) {
  model_.names = {name};
  server::set_chat(model_, model);
}

batch::Item ChatCalls::item(std::string text, const std::string& id, const std::string& where) const {
  auto line = std::make_shared<Line>();
  line->custom_id = id.empty() ? where : id;
  line->digits = digits_of(text);
  line->text = std::move(text);
  batch::Item item{.id = line->custom_id};
  item.request = [line, this](const Request&) {
    try {
      return request_of(*line, model_, api_, media_);
    } catch (const ApiError& error) {
      line->error = error;
      throw Error(ErrorCode::input_invalid, {.where = line->custom_id, .got = error.message});
    } catch (const server::MediaError&) {
      line->error = server::as_api_error(std::current_exception());
      throw;
    }
  };
  item.answer_line = [line, timings = timings_](const Answer& answer) {
    return answer_line(*line, answer, timings);
  };
  item.error_line = [line](const Error& error) { return error_line(*line, error); };
  return item;
}

}  // namespace galago::cli
