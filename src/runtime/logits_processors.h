// Changes of logits before a token is chosen, greedily or not. In: options of a request, rules of a model.
// Out: processors in the order in which they come. Reference: transformers 5.18
// generation/logits_process.py, in the order of GenerationMixin._get_logits_processor; frequency and presence
// penalty as the OpenAI API defines them.
#pragma once

#include <memory>
#include <vector>

#include "formats/config/config.h"
#include "galago/options.h"

namespace galago {

using LogitsProcessors = std::vector<std::unique_ptr<LogitsProcessor>>;

/// What decides beside the options of a request.
struct TokenRules {
  GenerationRules model;         ///< of generation_config.json: where the options set none, or beside them
  std::vector<int32_t> end_ids;  ///< that min_new_tokens and its like hold back
  int64_t prompt_tokens = 0;     ///< the first of the ids are these
};

/// The order: sequence and logit bias, repetition penalty, frequency and presence penalty, n-grams, bad
/// words, the two least lengths, exponential decay, suppressed tokens, those suppressed at the beginning, the
/// caller's own. Ids of rules that have no score are ignored.
LogitsProcessors make_logits_processors(const GenerateOptions& options, const TokenRules& rules,
                                        int64_t vocab_size);

/// Error{usage} for an id of the options that has no score.
void check_token_ids(const GenerateOptions& options, int64_t vocab_size);

}  // namespace galago
