// Answers of /v1/responses. Reference: OpenAI's Response object and the events of its stream.
#include "core/printable.h"
#include "server/api/answer_json.h"
#include "server/api/answer_writer.h"
#include "server/api/json_response.h"

namespace galago::server {
namespace {

// Fields of a request that its answer says again: not its pictures.
OrderedJson told_again(const OrderedJson& asked) {
  OrderedJson told = OrderedJson::object();
  for (const char* key : {"instructions", "max_output_tokens", "text", "tool_choice", "tools", "metadata"})
    if (const auto found = asked.find(key); found != asked.end()) told[key] = *found;
  return told;
}

class ResponsesWriter final : public AnswerWriter {
 public:
  ResponsesWriter(const AnswerCall& call, const OrderedJson& asked)
      : model_(call.model_name),
        fingerprint_(call.model->fingerprint),
        tool_(call.tool),
        unseen_(call.unseen_ids()),
        asked_(told_again(asked)),
        temperature_(call.request.options.temperature),
        top_p_(call.request.options.top_p) {}

  std::string begin() override {
    const OrderedJson empty = response({}, "in_progress");
    std::string events = named("response.created", {{"response", empty}});
    events += named("response.in_progress", {{"response", empty}});
    events += named("response.output_item.added", {{"output_index", 0}, {"item", item({}, "in_progress")}});
    if (!calls())
      events += named("response.content_part.added", place({{"content_index", 0}, {"part", part("")}}));
    return events;
  }

  std::string piece(int64_t, const StreamPiece& piece) override {
    if (piece.text.empty() || tool_ == "*") return {};
    OrderedJson json = place({{"delta", std::string(piece.text)}});
    if (calls()) return named("response.function_call_arguments.delta", std::move(json));
    json["content_index"] = 0;
    json["logprobs"] = piece.logprobs ? scores({piece.logprobs, 1}) : OrderedJson::array();
    return named("response.output_text.delta", std::move(json));
  }

  std::string end(int64_t, const Answer& answer) override {
    const std::string status = status_of(answer);
    std::string events;
    if (calls()) {
      events = named("response.function_call_arguments.done",
                     place({{"arguments", item(answer, status)["arguments"]}}));
    } else {
      const OrderedJson logprobs = scores(answer.tokens);
      events = named("response.output_text.done",
                     place({{"content_index", 0}, {"text", answer.text}, {"logprobs", logprobs}}));
      events +=
          named("response.content_part.done", place({{"content_index", 0}, {"part", part(answer.text)}}));
    }
    events += named("response.output_item.done", {{"output_index", 0}, {"item", item(answer, status)}});
    return events;
  }

  std::string finish(std::span<const Answer> answers) override {
    const std::string status = status_of(answers[0]);
    return named("response." + status, {{"response", response(answers, status)}});
  }

  std::string fail(const ApiError& error) override {
    return named("error",
                 {{"code", error.code}, {"message", printable(error.message, 2000)}, {"param", nullptr}});
  }

  OrderedJson whole(std::span<const Answer> answers) override {
    return response(answers, status_of(answers[0]));
  }

 private:
  bool calls() const { return !tool_.empty(); }
  OrderedJson scores(std::span<const TokenLogprobs> tokens) const {
    return chat_logprobs(tokens_of_text(tokens, unseen_))["content"];
  }
  // So is a call that a stop text has cut.
  std::string status_of(const Answer& answer) const {
    const bool cut = answer.finish_reason == FinishReason::length;
    return cut || (calls() && !OrderedJson::accept(answer.text)) ? "incomplete" : "completed";
  }

  std::string named(const std::string& type, OrderedJson fields) {
    OrderedJson json{{"type", type}, {"sequence_number", sequence_++}};
    json.update(fields);
    return "event: " + type + "\n" + event(json);
  }

  OrderedJson place(OrderedJson fields) const {
    OrderedJson json{{"item_id", item_id_}, {"output_index", 0}};
    json.update(fields);
    return json;
  }

  static OrderedJson part(const std::string& text) {
    return {{"type", "output_text"},
            {"annotations", OrderedJson::array()},
            {"logprobs", OrderedJson::array()},
            {"text", text}};
  }

  OrderedJson item(const Answer& answer, const std::string& status) const {
    if (calls()) return call_item(answer.text, status);
    OrderedJson content = OrderedJson::array();
    if (status != "in_progress") {
      OrderedJson text = part(answer.text);
      if (!answer.tokens.empty()) text["logprobs"] = scores(answer.tokens);
      content.push_back(std::move(text));
    }
    return {{"id", item_id_},
            {"type", "message"},
            {"status", status},
            {"role", "assistant"},
            {"content", content}};
  }

  OrderedJson call_item(const std::string& text, const std::string& status) const {
    std::string name = tool_, arguments = text;
    if (tool_ == "*") {
      const OrderedJson call = OrderedJson::parse(text, nullptr, false);
      const bool whole = call.is_object() && call.contains("name") && call.contains("arguments");
      name = whole ? call["name"].get<std::string>() : "";
      arguments = whole ? call["arguments"].dump() : "";
    }
    return {{"id", item_id_}, {"type", "function_call"}, {"status", status}, {"call_id", call_id_},
            {"name", name},   {"arguments", arguments}};
  }

  OrderedJson asked_or(const char* key, OrderedJson otherwise) const {
    const auto found = asked_.find(key);
    return found == asked_.end() || found->is_null() ? std::move(otherwise) : *found;
  }

  OrderedJson response(std::span<const Answer> answers, const std::string& status) const {
    OrderedJson output = OrderedJson::array();
    if (!answers.empty())
      output.push_back(item(answers[0], status == "incomplete" ? "incomplete" : "completed"));
    OrderedJson json{{"id", id_},
                     {"object", "response"},
                     {"created_at", created_},
                     {"status", status},
                     {"error", nullptr},
                     {"incomplete_details", nullptr},
                     {"instructions", asked_or("instructions", {})},
                     {"max_output_tokens", asked_or("max_output_tokens", {})},
                     {"model", model_},
                     {"output", output},
                     {"parallel_tool_calls", false},
                     {"previous_response_id", nullptr},
                     {"reasoning", {{"effort", nullptr}, {"summary", nullptr}}},
                     {"store", false},
                     {"temperature", temperature_},
                     {"text", asked_or("text", {{"format", {{"type", "text"}}}})},
                     {"tool_choice", asked_or("tool_choice", "auto")},
                     {"tools", asked_or("tools", OrderedJson::array())},
                     {"top_p", top_p_},
                     {"truncation", "disabled"},
                     {"usage", nullptr},
                     {"metadata", asked_or("metadata", OrderedJson::object())},
                     {"system_fingerprint", fingerprint_}};
    if (!answers.empty() && answers[0].finish_reason == FinishReason::length)
      json["incomplete_details"] = {{"reason", "max_output_tokens"}};
    if (!answers.empty()) add_counts(answers, json);
    return json;
  }

  static void add_counts(std::span<const Answer> answers, OrderedJson& json) {
    const Usage& u = answers[0].usage;
    json["usage"] = {
        {"input_tokens", u.prompt_tokens},
        {"input_tokens_details", {{"cached_tokens", u.cached_tokens}, {"image_tokens", u.image_tokens}}},
        {"output_tokens", u.completion_tokens},
        {"output_tokens_details", {{"reasoning_tokens", 0}}},
        {"total_tokens", u.prompt_tokens + u.completion_tokens}};
    json["timings"] = timings_json(answers[0]);
    json["images"] = images_json(answers[0].images);
    json["cache"] = cache_json(answers[0].cache);
  }

  const std::string id_ = new_id("resp_");
  const int64_t created_ = unix_time();
  const std::string model_;
  const std::string fingerprint_;
  const std::string tool_;
  const std::vector<int32_t> unseen_;
  const OrderedJson asked_;
  const double temperature_;
  const double top_p_;
  const std::string item_id_ = new_id(tool_.empty() ? "msg_" : "fc_");
  const std::string call_id_ = new_id("call_");
  int64_t sequence_ = 0;
};

}  // namespace

std::unique_ptr<AnswerWriter> responses_writer(const AnswerCall& call, const OrderedJson& asked) {
  return std::make_unique<ResponsesWriter>(call, asked);
}

}  // namespace galago::server
