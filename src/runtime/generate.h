// One request answered on the calling thread, with rows that are there already: for traces, and for tests of
// what generation does. Reference: transformers 5.18 GenerationMixin._sample with batch size 1.
#pragma once

#include <span>

#include "core/tensor.h"
#include "runtime/work.h"

namespace galago {

/// Rows [L, D] of a prompt, image rows already in place of the placeholders, and where the answer's pieces
/// go.
struct GivenRows {
  ConstMatrix rows;
  std::span<const ContentMark> content{};  ///< what the placeholders stand for; needed to keep beginnings
  StreamCallback on_piece{};               ///< optional; returning false ends the answer (cancelled)
};

/// A loop of one: prefill, then one row a token until an end token, a stop string, the callback or the token
/// budget ends it. The errors of SchedulerLoop::check before any work, then what the model or the callback
/// throws.
Generation generate(CausalModel& model, const GenerateRequest& request, const GivenRows& given,
                    TokenText& text);

}  // namespace galago
