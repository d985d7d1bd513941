// The ranges of the generation options and the room that the context leaves.
// In: GenerateOptions, prompt and context sizes. Out: a token budget, or an Error with got and expected.
#include "runtime/options.h"

#include <algorithm>
#include <sstream>
#include <string>

#include "core/limits.h"
#include "galago/error.h"

namespace galago {
namespace {

std::string shown(double value) {
  std::ostringstream out;
  out << value;
  return out.str();
}

// Written so that NaN fails as well.
void require(bool holds, const char* option, const std::string& got, const char* expected) {
  if (!holds) throw Error(ErrorCode::usage, {option, got, expected, ""});
}

// Logits stay finite in float32 when scaled by anything in this range.
bool scalable(double value) { return value >= 1e-6 && value <= 1e6; }
bool share(double value) { return value >= 0 && value <= 1; }

void check_stop_strings(const std::vector<std::string>& stop) {
  if (stop.size() > static_cast<size_t>(limits::kStopStrings)) {
    throw Error(ErrorCode::input_too_large, {"stop", std::to_string(stop.size()) + " strings",
                                             "at most " + std::to_string(limits::kStopStrings), ""});
  }
  for (const std::string& text : stop) {
    require(!text.empty(), "stop", "an empty string", "texts of at least one byte");
    if (text.size() > static_cast<size_t>(limits::kStopBytes)) {
      throw Error(ErrorCode::input_too_large, {"stop", std::to_string(text.size()) + " bytes",
                                               "at most " + std::to_string(limits::kStopBytes), ""});
    }
  }
}

void check_lists(const GenerateOptions& options) {
  const auto check = [](const char* option, size_t count) {
    if (count > static_cast<size_t>(limits::kOptionTokens))
      throw Error(ErrorCode::input_too_large, {option, std::to_string(count) + " entries",
                                               "at most " + std::to_string(limits::kOptionTokens), ""});
  };
  check("logit_bias", options.logit_bias.size());
  check("suppress_tokens", options.suppress_tokens.size());
  check("begin_suppress_tokens", options.begin_suppress_tokens.size());
  check("stop_token_ids", options.stop_token_ids.size());
  size_t words = 0;
  for (const auto& sequence : options.bad_words_ids) {
    require(!sequence.empty(), "bad_words_ids", "an empty sequence", "at least one token id");
    words += sequence.size();
  }
  check("bad_words_ids", words);
}

}  // namespace

const char* to_string(FinishReason reason) noexcept {
  switch (reason) {
    case FinishReason::stop:
      return "stop";
    case FinishReason::length:
      return "length";
    case FinishReason::cancelled:
      return "cancelled";
  }
  return "unknown";
}

void check_options(const GenerateOptions& options) {
  const auto& o = options;
  const int64_t tokens = new_tokens(o);
  require(tokens >= 1, "max_new_tokens", std::to_string(tokens), "at least 1");
  require(o.temperature == 0 || scalable(o.temperature), "temperature", shown(o.temperature),
          "0 (greedy) or from 1e-6 to 1e6");
  require(o.top_k >= 0, "top_k", std::to_string(o.top_k), "0 (off) or more");
  require(share(o.top_p), "top_p", shown(o.top_p), "from 0 to 1");
  require(share(o.min_p), "min_p", shown(o.min_p), "from 0 to 1");
  const double penalty = o.repetition_penalty.value_or(1);
  require(scalable(penalty), "repetition_penalty", shown(penalty), "from 1e-6 to 1e6 (1: off)");
  require(o.typical_p > 0 && o.typical_p <= 1, "typical_p", shown(o.typical_p), "above 0, to 1 (off)");
  const auto cutoff = [](double value) { return value >= 0 && value < 1; };
  require(cutoff(o.epsilon_cutoff), "epsilon_cutoff", shown(o.epsilon_cutoff), "from 0 (off) to below 1");
  require(cutoff(o.eta_cutoff), "eta_cutoff", shown(o.eta_cutoff), "from 0 (off) to below 1");
  const auto two = [](double value) { return value >= -2 && value <= 2; };
  require(two(o.frequency_penalty), "frequency_penalty", shown(o.frequency_penalty), "from -2 to 2");
  require(two(o.presence_penalty), "presence_penalty", shown(o.presence_penalty), "from -2 to 2");
  const int64_t ngram = o.no_repeat_ngram_size.value_or(0);
  require(ngram >= 0, "no_repeat_ngram_size", std::to_string(ngram), "0 (off) or more");
  const int64_t least = o.min_new_tokens.value_or(0);
  require(least >= 0 && least <= tokens, "min_new_tokens", std::to_string(least),
          "from 0 (off) to max_new_tokens");
  for (const TokenBias& one : o.logit_bias)
    require(one.bias >= -100 && one.bias <= 100, "logit_bias", shown(one.bias), "from -100 to 100");
  check_lists(o);
  const auto top = [](std::optional<int> value) { return value.value_or(0) >= 0 && value.value_or(0) <= 20; };
  require(top(o.logprobs), "logprobs", std::to_string(o.logprobs.value_or(0)), "from 0 to 20");
  require(top(o.prompt_logprobs), "prompt_logprobs", std::to_string(o.prompt_logprobs.value_or(0)),
          "from 0 to 20");
  require(o.prefill_chunk >= 0, "prefill_chunk", std::to_string(o.prefill_chunk), "0 (all rows) or more");
  check_stop_strings(o.stop);
}

int64_t new_tokens(const GenerateOptions& options) {
  return options.max_new_tokens.value_or(AnswerDefaults{}.max_new_tokens);
}

int64_t token_budget(int64_t prompt_tokens, int64_t context_length, int64_t max_new_tokens) {
  if (prompt_tokens < 1) {
    throw Error(ErrorCode::input_invalid, {"prompt", "0 tokens", "at least 1 token", ""});
  }
  if (prompt_tokens >= context_length) {
    throw Error(ErrorCode::input_too_large,
                {"prompt", std::to_string(prompt_tokens) + " tokens",
                 "at most " + std::to_string(context_length - 1) + ", for a context of " +
                     std::to_string(context_length) + " and an answer of at least 1",
                 "ask a shorter question, or pass fewer or smaller images"});
  }
  return std::min(max_new_tokens, context_length - prompt_tokens);
}

}  // namespace galago
