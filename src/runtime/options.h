// Checks what a caller asks of generation before any work is done.
// In: GenerateOptions and the sizes of the prompt. Out: nothing, or an Error that names the option.
// Bounds as transformers' logits processors state them (generation/logits_process.py, 5.18).
#pragma once

#include <cstdint>

#include "galago/options.h"

namespace galago {

/// Error{usage} for an option out of its range, Error{input_too_large} for too many or too long stop strings.
void check_options(const GenerateOptions& options);

/// The limit that was asked for; that of AnswerDefaults when none was.
int64_t new_tokens(const GenerateOptions& options);

/// How many tokens may be generated: max_new_tokens, capped to what the context has left after the prompt.
/// An empty prompt is Error{input_invalid}; one that leaves no room for a token is Error{input_too_large}.
int64_t token_budget(int64_t prompt_tokens, int64_t context_length, int64_t max_new_tokens);

}  // namespace galago
