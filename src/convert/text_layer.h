// A PDF's own words in the place of letters that the model misread. In: the words of a page and their places,
// what the model read. Out: the same elements, with the file's letters where both say nearly the same.
#pragma once

#include <cstdint>
#include <span>

#include "documents/document.h"
#include "pdf/pdf.h"

namespace galago::convert {

/// Part of the bytes of the longer text in which both may differ.
inline constexpr double kCloseEnough = 0.2;

/// Corrects elements of words that have a box: the file's words whose centre lies in it, in their order,
/// replace the model's, if at most kCloseEnough of the bytes differ. Code, formulas and tables stay as they
/// are. A hyphen at a line's end stays where the model read one behind the same letters. How many elements
/// were changed.
int64_t correct(documents::Page& page, std::span<const PdfWord> words);

}  // namespace galago::convert
