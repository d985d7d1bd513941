// Answers of /v1/completions and of llama-server's /completion. Reference: OpenAI's completion object
// (legacy); llama-server's result object.
#include <map>

#include "server/api/answer_json.h"
#include "server/api/answer_writer.h"

namespace galago::server {
namespace {

class CompletionWriter final : public AnswerWriter {
 public:
  explicit CompletionWriter(const AnswerCall& call)
      : model_(call.model_name),
        fingerprint_(call.model->fingerprint),
        usage_(call.include_usage),
        n_(call.n),
        predicted_(!call.request.options.draft.empty()),
        logprobs_(call.request.options.logprobs.has_value()),
        unseen_(call.unseen_ids()),
        echo_(call.echo ? call.request.prompt : std::string()),
        held_(call.request.options.prompt_logprobs.has_value()) {}

  std::string begin() override {
    std::string events;
    if (!echo_.empty() && !held_)
      for (int64_t i = 0; i < n_; ++i) events += event(chunk(i, echo_, nullptr));
    return events;
  }

  std::string piece(int64_t index, const StreamPiece& piece) override {
    const std::span<const TokenLogprobs> scores = scores_of(piece);
    const bool scored = !scores.empty();
    if (held_ || (piece.text.empty() && !scored)) return {};
    OrderedJson json = chunk(index, std::string(piece.text), nullptr);
    if (scored) {
      size_t& offset = offsets_.try_emplace(index, characters(echo_)).first->second;
      json["choices"][0]["logprobs"] = completion_logprobs(scores, offset, false);
      offset += characters(scores[0].text);
    }
    return event(json);
  }

  std::string end(int64_t index, const Answer& answer) override {
    OrderedJson last = chunk(index, held_ ? echo_ + answer.text : "", finish_reason(answer));
    if (held_) last["choices"][0]["logprobs"] = scores_of(answer);
    if (!usage_) last["timings"] = timings_json(answer);
    return event(last);
  }

  std::string finish(std::span<const Answer> answers) override {
    if (!usage_) return kDone;
    OrderedJson last = chunk(0, "", nullptr);
    last["choices"] = OrderedJson::array();
    last["usage"] = usage_json(answers, static_cast<size_t>(n_), predicted_);
    last["timings"] = timings_json(answers[0]);
    return event(last) + kDone;
  }

  OrderedJson whole(std::span<const Answer> answers) override {
    OrderedJson choices = OrderedJson::array();
    for (size_t i = 0; i < answers.size(); ++i) {
      const Answer& answer = answers[i];
      choices.push_back({{"index", i},
                         {"text", echo_ + answer.text},
                         {"logprobs", logprobs_ ? scores_of(answer) : OrderedJson()},
                         {"finish_reason", finish_reason(answer)}});
    }
    OrderedJson json = head();
    json["choices"] = choices;
    json["usage"] = usage_json(answers, static_cast<size_t>(n_), predicted_);
    json["timings"] = timings_json(answers[0]);
    return json;
  }

 private:
  std::span<const TokenLogprobs> scores_of(const StreamPiece& piece) const {
    if (!logprobs_ || !piece.logprobs) return {};
    return tokens_of_text({piece.logprobs, 1}, unseen_);
  }

  OrderedJson scores_of(const Answer& answer) const {
    std::vector<TokenLogprobs> tokens = answer.prompt_tokens;
    const auto said = tokens_of_text(answer.tokens, unseen_);
    tokens.insert(tokens.end(), said.begin(), said.end());
    return completion_logprobs(tokens, answer.prompt_tokens.empty() ? characters(echo_) : 0,
                               !answer.prompt_tokens.empty());
  }

  OrderedJson head() const {
    return {{"id", id_},
            {"object", "text_completion"},
            {"created", created_},
            {"model", model_},
            {"system_fingerprint", fingerprint_}};
  }

  OrderedJson chunk(int64_t index, const std::string& text, const char* reason) const {
    OrderedJson json = head();
    json["choices"] = OrderedJson::array({{{"index", index},
                                           {"text", text},
                                           {"logprobs", nullptr},
                                           {"finish_reason", reason ? OrderedJson(reason) : OrderedJson()}}});
    if (usage_) json["usage"] = nullptr;
    return json;
  }

  const std::string id_ = new_id("cmpl-");
  const int64_t created_ = unix_time();
  const std::string model_;
  const std::string fingerprint_;
  const bool usage_;
  const int64_t n_;
  const bool predicted_;
  const bool logprobs_;
  const std::vector<int32_t> unseen_;
  const std::string echo_;
  const bool held_;                    // the logprobs of the prompt, which come first, are known at the end
  std::map<int64_t, size_t> offsets_;  // characters of each answer so far
};

class NativeWriter final : public AnswerWriter {
 public:
  explicit NativeWriter(std::span<const AnswerCall> calls)
      : model_(calls[0].model_name),
        stops_(calls[0].request.options.stop),
        chat_(*calls[0].model->chat),
        unseen_(calls[0].unseen_ids()) {
    for (const AnswerCall& call : calls)
      prompts_.insert(prompts_.end(), static_cast<size_t>(call.n), call.request.prompt);
  }

  std::string piece(int64_t index, const StreamPiece& piece) override {
    if (piece.text.empty()) return {};
    OrderedJson json{{"index", index}, {"content", std::string(piece.text)}, {"stop", false}};
    json["tokens"] = piece.token_id < 0 ? OrderedJson::array() : OrderedJson::array({piece.token_id});
    return event(json);
  }

  std::string end(int64_t index, const Answer& answer) override {
    OrderedJson json = result(index, answer);
    json["content"] = "";
    json["tokens"] = OrderedJson::array();
    return event(json);
  }

  std::string finish(std::span<const Answer>) override { return {}; }
  std::string fail(const ApiError& error) override { return event(error_json(error)); }

  OrderedJson whole(std::span<const Answer> answers) override {
    if (answers.size() == 1) return result(0, answers[0]);
    OrderedJson list = OrderedJson::array();
    for (size_t i = 0; i < answers.size(); ++i) list.push_back(result(static_cast<int64_t>(i), answers[i]));
    return list;
  }

 private:
  // The stop text that ended it; empty: none.
  std::string stopping_word(const Answer& answer) const {
    if (answer.finish_reason != FinishReason::stop || stops_.empty()) return {};
    const std::string said = chat_.detokenize(answer.token_ids, true);
    std::string word;
    size_t first = std::string::npos;
    for (const std::string& stop : stops_)
      if (const size_t at = said.find(stop); at < first) {
        first = at;
        word = stop;
      }
    return word;
  }

  OrderedJson result(int64_t index, const Answer& answer) const {
    const std::string word = stopping_word(answer);
    OrderedJson json{{"index", index},
                     {"content", answer.text},
                     {"tokens", answer.token_ids},
                     {"id_slot", 0},
                     {"stop", true},
                     {"model", model_},
                     {"tokens_predicted", answer.usage.completion_tokens},
                     {"tokens_evaluated", answer.usage.prompt_tokens},
                     {"prompt", prompts_[static_cast<size_t>(index)]},
                     {"has_new_line", answer.text.find('\n') != std::string::npos},
                     {"truncated", false},
                     {"stop_type", answer.finish_reason == FinishReason::length ? "limit"
                                   : word.empty()                               ? "eos"
                                                                                : "word"},
                     {"stopping_word", word},
                     {"tokens_cached", answer.usage.cached_tokens},
                     {"timings", timings_json(answer)}};
    if (!answer.tokens.empty())
      json["completion_probabilities"] = chat_logprobs(tokens_of_text(answer.tokens, unseen_))["content"];
    return json;
  }

  const std::string model_;
  std::vector<std::string> prompts_;  // of each answer
  const std::vector<std::string> stops_;
  const Model& chat_;
  const std::vector<int32_t> unseen_;
};

}  // namespace

std::unique_ptr<AnswerWriter> completion_writer(const AnswerCall& call) {
  return std::make_unique<CompletionWriter>(call);
}

std::unique_ptr<AnswerWriter> native_writer(std::span<const AnswerCall> calls) {
  return std::make_unique<NativeWriter>(calls);
}

}  // namespace galago::server
