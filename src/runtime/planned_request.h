// A request whose prompt is written and whose pictures are planned. In: a model and a Request. Out: what
// generation needs, what there is to encode, and the Answer of what was generated.
#pragma once

#include "runtime/image_encoder.h"
#include "runtime/model_state.h"
#include "runtime/pipeline.h"
#include "runtime/work.h"

namespace galago {

/// Touches no pixel. Stays where it was made: what generate() gives refers to it.
class PlannedRequest {
 public:
  /// The errors of check_options and plan_prompt. `model` must outlive it.
  PlannedRequest(const Model::State& model, Request request);
  PlannedRequest(const PlannedRequest&) = delete;
  PlannedRequest& operator=(const PlannedRequest&) = delete;

  /// Without its words.
  const Request& request() const { return request_; }
  const PlannedPrompt& plan() const { return plan_; }
  const GenerateRequest& generate() const { return generate_; }
  /// What it shows, in the order of the prompt.
  Visuals visuals() const;
  /// Bytes that it takes at most beside keys and values: its pictures, their tiles, image rows, the prompt's
  /// rows [L, D].
  int64_t bytes() const;
  /// Whether special tokens other than the end token stay in the text.
  bool keep_special() const;

  /// Lets go of the functions that the caller gave.
  void forget_functions();

  /// What encoding adds to.
  EncodeCosts costs() { return {.timings = answer_.timings, .cache = answer_.cache}; }
  /// The answer that was generated; once.
  Answer finish(Generation generation);

 private:
  /// Pictures of the messages to request_.images and videos, texts and places to the result: a request may
  /// wait long, and nothing reads its words again.
  PromptText take_words();
  std::vector<int32_t> end_ids() const;
  /// Stop texts that are one special token each: whatever the text shows, that token ends the answer.
  std::vector<int32_t> stop_ids() const;
  void add_confidence(const Generation& generation);

  const Model::State& model_;
  Request request_;
  PlannedPrompt plan_;
  GenerateRequest generate_;
  Answer answer_;
};

/// Where each picture's or frame's rows begin among the ids.
std::vector<ContentMark> content_marks(std::span<const int32_t> ids, int64_t placeholder,
                                       std::span<const EncodedPicture> pictures);

/// What the model makes of an image of this size.
ImageInfo image_info(const ImagePlan& plan);

}  // namespace galago
