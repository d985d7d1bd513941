// The elements of an answer in DocTags, with how sure the model was of each. In: its tokens, with log
// probabilities and margins. Out: one entry for each element, in the order of their beginnings.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "galago/tokens.h"
#include "structured/doctags_vocabulary.h"

namespace galago {

/// How sure a model was of tokens with these log probabilities and margins, as many of each. All 0 for none.
Confidence confidence(std::span<const float> logprobs, std::span<const float> margins);

/// The elements between the tags of `ids`, the page itself not among them; `logprobs` and `margins` are as
/// many, or Error{internal}. An element is measured over all its tokens, from the opening tag to the closing
/// one, those of the elements inside it included. Any ids will do: an element that is not closed ends where
/// one around it does, or with the answer; a closing tag of none that is open is passed over.
std::vector<AnswerElement> elements(const DocTagsVocabulary& vocabulary, std::span<const int32_t> ids,
                                    std::span<const float> logprobs, std::span<const float> margins);

}  // namespace galago
