// Answers of /v1/chat/completions. Reference: OpenAI's chat completion object and its chunks; llama-server's
// timings.
#include <map>

#include "core/clock.h"
#include "server/api/answer_json.h"
#include "server/api/answer_writer.h"

namespace galago::server {

std::string AnswerWriter::fail(const ApiError& error) { return event(error_json(error)) + kDone; }

namespace {

class ChatWriter final : public AnswerWriter {
 public:
  explicit ChatWriter(const AnswerCall& call)
      : model_(call.model_name),
        fingerprint_(call.model->fingerprint),
        tool_(call.tool),
        usage_(call.include_usage),
        progress_(call.progress),
        timings_(call.timings_per_token),
        n_(call.n),
        predicted_(!call.request.options.draft.empty()),
        logprobs_(call.request.options.logprobs.has_value()),
        unseen_(call.unseen_ids()) {}

  std::string begin() override {
    std::string events;
    for (int64_t i = 0; i < n_; ++i) {
      OrderedJson delta{{"role", "assistant"}, {"content", tool_.empty() ? OrderedJson("") : OrderedJson()}};
      if (single_tool()) {
        OrderedJson call = call_json(tool_, "");
        call["index"] = 0;
        delta["tool_calls"] = OrderedJson::array({call});
      }
      events += event(chunk(i, std::move(delta), nullptr));
    }
    return events;
  }

  std::string progress(const Progress& p) override {
    if (!progress_) return {};
    return event({{"id", id_},
                  {"object", "galago.progress"},
                  {"tiles_done", p.tiles_done},
                  {"tiles_total", p.tiles_total},
                  {"prompt_tokens", p.prompt_tokens}});
  }

  std::string piece(int64_t index, const StreamPiece& piece) override {
    SoFar& so_far = so_far_[index];
    ++so_far.tokens;
    if (tool_ == "*") return {};
    const std::span<const TokenLogprobs> scores = scores_of(piece);
    const bool scored = !scores.empty();
    if (piece.text.empty() && !scored) return {};
    OrderedJson json = chunk(index, delta_of(std::string(piece.text)), nullptr);
    if (scored) json["choices"][0]["logprobs"] = chat_logprobs(scores);
    if (timings_) json["timings"] = running_timings_json(so_far.tokens, so_far.clock.ms());
    return event(json);
  }

  std::string end(int64_t index, const Answer& answer) override {
    std::string events;
    if (tool_ == "*") {
      OrderedJson calls = tool_calls(answer.text);
      for (OrderedJson& call : calls) call["index"] = 0;
      OrderedJson json = chunk(
          index, calls.empty() ? OrderedJson{{"content", answer.text}} : OrderedJson{{"tool_calls", calls}},
          nullptr);
      json["choices"][0]["logprobs"] = logprobs_of(answer);
      events = event(json);
    }
    OrderedJson last = chunk(index, OrderedJson::object(), reason(answer));
    if (!usage_ || timings_) last["timings"] = timings_json(answer);
    return events + event(last);
  }

  std::string finish(std::span<const Answer> answers) override {
    if (!usage_) return kDone;
    OrderedJson last = chunk(0, {}, nullptr);
    last["choices"] = OrderedJson::array();
    add_counts(answers, last);
    return event(last) + kDone;
  }

  OrderedJson whole(std::span<const Answer> answers) override {
    OrderedJson choices = OrderedJson::array();
    for (size_t i = 0; i < answers.size(); ++i) {
      const Answer& answer = answers[i];
      OrderedJson message{{"role", "assistant"}, {"content", answer.text}, {"refusal", nullptr}};
      const OrderedJson calls = tool_.empty()   ? OrderedJson::array()
                                : single_tool() ? OrderedJson::array({call_json(tool_, answer.text)})
                                                : tool_calls(answer.text);
      if (!calls.empty()) {
        message["content"] = nullptr;
        message["tool_calls"] = calls;
      }
      OrderedJson choice{{"index", i},
                         {"message", message},
                         {"logprobs", logprobs_of(answer)},
                         {"finish_reason", reason(answer)}};
      if (answer.confidence) choice["confidence"] = confidence_json(*answer.confidence);
      choices.push_back(std::move(choice));
    }
    OrderedJson json{{"id", id_},       {"object", "chat.completion"},        {"created", created_},
                     {"model", model_}, {"system_fingerprint", fingerprint_}, {"choices", choices}};
    add_counts(answers, json);
    return json;
  }

 private:
  std::span<const TokenLogprobs> scores_of(const StreamPiece& piece) const {
    if (!logprobs_ || !piece.logprobs) return {};
    return tokens_of_text({piece.logprobs, 1}, unseen_);
  }

  OrderedJson logprobs_of(const Answer& answer) const {
    return logprobs_ ? chat_logprobs(tokens_of_text(answer.tokens, unseen_)) : OrderedJson();
  }

  bool single_tool() const { return !tool_.empty() && tool_ != "*"; }

  // A call that a limit or a stop text has cut is none.
  const char* reason(const Answer& answer) const {
    return !tool_.empty() && OrderedJson::accept(answer.text) ? "tool_calls" : finish_reason(answer);
  }

  OrderedJson call_json(const std::string& name, const std::string& arguments) const {
    return {{"id", new_id("call_")},
            {"type", "function"},
            {"function", {{"name", name}, {"arguments", arguments}}}};
  }

  // {"name": ..., "arguments": {...}}; an answer that was cut is no call.
  OrderedJson tool_calls(const std::string& text) const {
    const OrderedJson call = OrderedJson::parse(text, nullptr, false);
    OrderedJson calls = OrderedJson::array();
    if (call.is_object() && call.contains("name") && call.contains("arguments"))
      calls.push_back(call_json(call["name"].get<std::string>(), call["arguments"].dump()));
    return calls;
  }

  OrderedJson delta_of(std::string text) const {
    if (!single_tool()) return {{"content", std::move(text)}};
    OrderedJson call{{"index", 0}, {"function", {{"arguments", std::move(text)}}}};
    return {{"tool_calls", OrderedJson::array({call})}};
  }

  OrderedJson chunk(int64_t index, OrderedJson delta, const char* reason) const {
    OrderedJson choice{{"index", index},
                       {"delta", std::move(delta)},
                       {"logprobs", nullptr},
                       {"finish_reason", reason ? OrderedJson(reason) : OrderedJson()}};
    OrderedJson json{{"id", id_},
                     {"object", "chat.completion.chunk"},
                     {"created", created_},
                     {"model", model_},
                     {"system_fingerprint", fingerprint_},
                     {"choices", OrderedJson::array({std::move(choice)})}};
    if (usage_) json["usage"] = nullptr;
    return json;
  }

  void add_counts(std::span<const Answer> answers, OrderedJson& json) const {
    json["usage"] = usage_json(answers, answers.size(), predicted_);
    json["timings"] = timings_json(answers[0]);
    json["images"] = images_json(answers[0].images);
    json["cache"] = cache_json(answers[0].cache);
  }

  struct SoFar {
    int64_t tokens = 0;
    Clock clock;  // from its first token on
  };
  std::map<int64_t, SoFar> so_far_;
  const std::string id_ = new_id("chatcmpl-");
  const int64_t created_ = unix_time();
  const std::string model_;
  const std::string fingerprint_;
  const std::string tool_;
  const bool usage_;
  const bool progress_;
  const bool timings_;
  const int64_t n_;
  const bool predicted_;
  const bool logprobs_;
  const std::vector<int32_t> unseen_;
};

}  // namespace

std::unique_ptr<AnswerWriter> chat_writer(const AnswerCall& call) {
  return std::make_unique<ChatWriter>(call);
}

}  // namespace galago::server
