// Tokens of an answer and how sure the model was of them. Logarithms are natural, of probabilities that the
// raw logits give: before any penalty, filter, temperature or format.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace galago {

/// A token and how likely the model held it.
struct TokenLogprob {
  int32_t id = -1;
  std::string text;   ///< its bytes as UTF-8, malformed parts replaced by U+FFFD
  std::string bytes;  ///< what it stands for; a part of a character where a character takes several tokens
  double logprob = 0;
};

/// A token of an answer or a prompt, and the likeliest in its place.
struct TokenLogprobs : TokenLogprob {
  std::vector<TokenLogprob> top;  ///< the likeliest first; as many as were asked for
};

/// How sure a model was of some tokens together.
struct Confidence {
  int64_t tokens = 0;
  double mean_logprob = 0;
  double min_logprob = 0;  ///< of the least likely of them
  double margin = 0;  ///< mean distance, in logits, to the likeliest other token; below 0: that was likelier
};

/// A part of a structured answer: an element of DocTags.
struct AnswerElement {
  std::string name;   ///< of the tag, e.g. "section_header_level_1"
  int64_t begin = 0;  ///< its first token in Answer::token_ids, the opening tag
  int64_t end = 0;    ///< one behind its last
  int64_t depth = 0;  ///< 0: on the page
  Confidence confidence;
};

}  // namespace galago
