// The steps of a stage of a tokenizer file (normalizer, pre-tokenizer, decoder): one, or a Sequence of them.
// In: the stage's field. Out: the fields of its steps, in order, without the sequences around them.
#pragma once

#include <string>
#include <vector>

#include "formats/json.h"

namespace galago {

/// `list` is the key that a Sequence has its steps under. Error{model_invalid} for sequences nested deeper
/// than 8 and for more than limits::kTokenizerSteps steps in all.
std::vector<JsonField> steps_of(const JsonField& field, const std::string& list);

}  // namespace galago
