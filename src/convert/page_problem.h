// What is wrong with the answer about a page, although it is one. In: the answer's text and why it ended, its
// document. Out: a word for it.
#pragma once

#include "documents/document.h"
#include "galago/options.h"

namespace galago::convert {

enum class PageProblem {
  none,
  cut,    ///< the model came to the token limit: the rest of the page is missing
  empty,  ///< nothing was read
  loop,   ///< the same again and again
};
/// "cut": the enumerator's name; "" for none.
const char* to_string(PageProblem problem);
/// In words, e.g. "ends at the token limit".
const char* explain(PageProblem problem);

/// Looks for the worst: a loop, which is often also cut, then a cut, then an empty page.
/// A loop is the same element three times in a row, of at least 12 bytes; or a tail of an element's words of
/// up to 320 bytes that stands there 16 times. docling ends answers at as many.
PageProblem find_problem(const documents::Document& page, FinishReason finish);

}  // namespace galago::convert
