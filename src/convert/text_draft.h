// A PDF's own words as a draft of what the model will read. In: the words of a page in their order. Out:
// texts, one for what looks like one element: the model may skip them, take them in another order, or read
// something else, and the answer is its own all the same (docs/generation.md#drafts).
#pragma once

#include <span>
#include <string>
#include <vector>

#include "pdf/pdf.h"

namespace galago::convert {

/// Words of one line with spaces between, lines joined where they stand close below each other in letters of
/// one height; a hyphen at a line's end between small letters goes. At most 1 MiB: the rest is left out.
std::vector<std::string> draft_texts(std::span<const PdfWord> words);

}  // namespace galago::convert
