// The way of an image, step by step: the same steps for an answer, for a trace and for a check.
// In: a frontend, an engine, pictures and words. Out: ids, image rows and one packed sequence of rows.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "image/image.h"
#include "models/engine.h"
#include "models/frontend.h"
#include "runtime/logits_processors.h"

namespace galago {

/// A request after planning: everything known before the first pixel is touched.
struct PlannedPrompt {
  std::vector<ImagePlan> images;
  std::vector<VideoPlan> videos;
  std::vector<int32_t> ids;  ///< [L]
  int64_t image_tokens = 0;
  int64_t tiles = 0;  ///< of images, and one for each frame that is seen
};

/// Plans images and videos and writes the prompt. Error{input_too_large} for too many of them, or when the
/// prompt leaves no room for an answer in the context; Error{model_unsupported} for videos that the model
/// does not read. own_split: of each image, in the place of `split` where it says something; empty: of none.
PlannedPrompt plan_prompt(const Frontend& frontend, const PromptText& text, std::span<const ImageSize> sizes,
                          std::optional<bool> split, std::span<const VideoFacts> videos = {},
                          std::span<const std::optional<bool>> own_split = {});

/// Rows [L, D]: the embeddings of ids with the images' rows ([R_i, D] each) in their places.
Tensor pack_prompt(const Frontend& frontend, const Engine& engine, std::span<const int32_t> ids,
                   std::span<const ConstMatrix> image_rows);

/// What the model's generation_config.json asks of every answer.
TokenRules token_rules(const Frontend& frontend);

}  // namespace galago
