// Parts of an answer as JSON, by the names of `galago run --json`.
#pragma once

#include <vector>

#include "galago/galago.h"
#include "messages/ordered_json.h"

namespace galago {

/// [{id, text, bytes, logprob, top: [{id, text, bytes, logprob}]}].
OrderedJson tokens_json(const std::vector<TokenLogprobs>& tokens);
/// {tokens, mean_logprob, min_logprob, margin}.
OrderedJson confidence_json(const Confidence& confidence);
/// [{name, begin, end, depth, confidence}].
OrderedJson elements_json(const std::vector<AnswerElement>& elements);
/// Milliseconds of each stage, tokens_per_second.
OrderedJson timings_json(const Timings& timings);
/// {"error": {code, message, where, got, expected, hint}}.
OrderedJson error_json(const Error& error);

}  // namespace galago
