// What must hold of any tokenizer that could be made.
#pragma once

#include "text/tokenizer/tokenizer.h"

namespace galago::fuzz {

/// Texts to ids and back; the stream of a text's pieces must be the text of all ids.
void check_tokenizer(const Tokenizer& tokenizer);

}  // namespace galago::fuzz
