// What changes the logits of an answer before a token is chosen. As transformers' LogitsProcessor.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <span>

namespace galago {

/// Belongs to one answer. Called once for each of its tokens, on the scheduler's thread, in the order of the
/// tokens; what it throws ends the answer.
class LogitsProcessor {
 public:
  virtual ~LogitsProcessor() = default;
  /// ids: prompt and answer so far, image placeholders included. scores [vocabulary]: may be changed;
  /// -infinity forbids a token.
  virtual void process(std::span<const int32_t> ids, std::span<float> scores) = 0;
};

/// Makes one for each answer.
using MakeLogitsProcessor = std::function<std::unique_ptr<LogitsProcessor>()>;

}  // namespace galago
