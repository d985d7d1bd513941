// Texts for a tower that takes a fixed number of ids, such as SigLIP's text tower.
// In: a text and the tower's length in ids. Out: exactly that many ids: the text's, cut where they are too
// many, what the tokenizer puts around a whole text (an end token), then padding; and a mask that tells them
// from padding.
// Reference: transformers 5.18, tokenizer(text, padding="max_length", truncation=True, max_length=length).
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include "text/tokenizer/tokenizer.h"

namespace galago {

/// Ids [length] of a text as a user typed it; lower case, punctuation and spaces are the tokenizer's affair
/// (SigLIP's removes them). The end token survives the cut. Cut and padding are on the sides that
/// tokenizer_config.json names. Added tokens in the text are text unless parse_special.
/// Error{model_invalid} when the tokenizer names no padding token, or when `length` has no place for one id
/// of text beside the tokens around it; Error{input_invalid} on malformed UTF-8, Error{input_too_large}.
PaddedIds encode_padded(const Tokenizer& tokenizer, std::string_view text, int64_t length,
                        bool parse_special = false);

}  // namespace galago
