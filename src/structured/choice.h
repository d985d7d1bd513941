// One text out of a list. In: the texts. Out: a constraint that walks them byte by byte; exact for any texts,
// without a grammar.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "structured/constraint.h"
#include "structured/vocabulary.h"

namespace galago {

/// Error{input_invalid} for an empty list, a text that is empty or not UTF-8, or one that no tokens make;
/// Error{input_too_large} over grammar_limits. Equal texts count once.
std::unique_ptr<Constraint> make_choice(std::vector<std::string> texts,
                                        std::shared_ptr<const Vocabulary> vocabulary);

}  // namespace galago
