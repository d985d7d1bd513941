// A request for generation, and the answer to one that is alone; batch.h has the loop. In: rows [L, D] of
// text and image, the ids [L] behind them, options. Out: tokens, text, why it ended, times in milliseconds.
// Reference: transformers 5.18 GenerationMixin._sample with batch size 1.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "core/tensor.h"
#include "galago/options.h"
#include "runtime/answer.h"
#include "runtime/causal_model.h"
#include "runtime/sampler.h"

namespace galago {

/// One request; what it refers to must outlive the call.
struct GenerateRequest {
  ConstMatrix rows;              ///< [L, D], image rows already in place of the placeholders
  std::span<const int32_t> ids;  ///< [L], with the placeholders: the repetition penalty sees all of them
  std::vector<int32_t> end_ids;  ///< eos of the model's generation_config.json
  int64_t image_tokens = 0;      ///< how many of the L rows come from images
  GenerateOptions options;
  StreamCallback on_piece;  ///< optional; returning false ends the answer (FinishReason::cancelled)
  TokenRules rules{};       ///< of the model
  /// What the placeholders among the ids stand for; needed where a model keeps rows of earlier prompts.
  std::vector<ContentMark> content{};
};

/// Prefill in pieces of options.prefill_chunk rows, then one row a token until an end token, a stop string,
/// the callback or the token budget ends it. The options and the context length are checked before the model
/// runs: Error{usage}, Error{input_too_large}, Error{input_invalid} for an empty prompt.
Generation generate(CausalModel& model, const GenerateRequest& request, TokenText& text);

}  // namespace galago
