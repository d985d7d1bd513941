// One request on its way to its answer. In: a model and a Request. Out: what generation needs, the prompt's
// rows when they are wanted, and the Answer of what was generated.
#pragma once

#include <iterator>
#include <memory>

#include "core/clock.h"
#include "core/tensor.h"
#include "runtime/generate.h"
#include "runtime/model_state.h"
#include "runtime/pipeline.h"

namespace galago {

/// Plans a request when it is made; pictures are touched by rows() alone. Stays where it was made: what
/// prompt() gives refers to it.
class Answering {
 public:
  /// The errors of check_options and plan_prompt.
  Answering(std::shared_ptr<const Model::State> model, Request request);
  Answering(const Answering&) = delete;
  Answering& operator=(const Answering&) = delete;

  int64_t prompt_tokens() const { return std::ssize(plan_.ids); }
  /// Everything for generation but the rows.
  GenerateRequest prompt() const;
  /// The packed prompt [L, D]: encodes pictures and frames. Cancelled when the request's callback says so.
  Tensor rows();
  /// What the placeholders stand for, once there are rows; none when the model keeps no prefixes.
  const std::vector<ContentMark>& content() const { return content_; }
  /// Whether special tokens other than the end token stay in the text.
  bool keep_special() const {
    return request_.options.keep_special.value_or(model_->frontend->answer_defaults().doctags);
  }
  /// The answer that was generated from the rows.
  Answer finish(Generation generation);
  /// The answer of a request that was stopped before there was any text.
  Answer cancelled();

 private:
  /// Pictures of the messages to request_.images and videos, texts and places to the result.
  PromptText take_words();

  std::shared_ptr<const Model::State> model_;
  Request request_;
  Clock clock_;
  PlannedPrompt plan_;
  Answer answer_;
  std::vector<ContentMark> content_;
  double before_ms_ = 0;  // from the start to the rows
};

}  // namespace galago
