// What goes on across pages, as one. In: a document. Out: the same with paragraphs, lists and tables that a
// page's end cut in two whole again, on the page where they begin.
#pragma once

#include <cstdint>

#include "documents/document.h"

namespace galago::convert {

/// Looks at the last element of a page and the first of the next, past headers, footers and footnotes:
/// - paragraphs, when the first does not end a sentence and the second begins with a small letter. A hyphen
///   between two small letters goes;
/// - lists of one kind; of numbered ones, when the markers go on;
/// - tables of as many columns, when the second has no caption. Its first row is left out where it is the
/// first
///   one's first row again.
/// How many were joined.
int64_t join_pages(documents::Document& document);

}  // namespace galago::convert
