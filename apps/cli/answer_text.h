// An answer of `galago run` for programs and for people. In: an Answer and what was asked. Out: JSON, or a
// table.
#pragma once

#include <cstdint>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "galago/galago.h"

namespace galago::cli {

/// What of the question an answer does not say itself.
struct Asked {
  std::vector<std::string> images;  ///< as they are shown: a file's name, or the beginning of a data: URI
  std::vector<std::string> videos;
  uint64_t seed = 0;
  bool sampled = false;  ///< whether the seed counts
};

/// What --json prints.
nlohmann::ordered_json answer_json(const Answer& answer, const Asked& asked);
/// How likely the tokens of answer and prompt were, a line for each: Answer::tokens, prompt_tokens.
std::string logprobs_text(const Answer& answer);
/// On standard error: that a limit cut the answer, which looks like one that ended.
void say_cut(const Answer& answer, const GenerateOptions& options, const Model& model);
/// What --stats prints: pictures, cache, seed, the time of every stage.
std::string stats_text(const Answer& answer, const Asked& asked);

}  // namespace galago::cli
