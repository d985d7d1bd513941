// DocTags to a document.
// In: the text of an answer in DocTags, whole or in pieces, with the log probability of each piece where it
// is known. Out: the document. Any bytes will do: what is broken is put right, with a warning, and words are
// kept; nothing throws but std::bad_alloc. Time is linear in the text, memory bounded by
// documents/document_limits.h. Reference: docling-core 2.104, DoclingDocument.load_from_doctags;
// docs/documents.md lists where ours keeps more.
#pragma once

#include <memory>
#include <string_view>

#include "documents/document.h"

namespace galago::documents {

/// Reads one answer, or several pages with `<page_break>` between. The result does not depend on where the
/// text is cut, except for the confidences, whose tokens are the pieces.
class DocTagsParser {
 public:
  DocTagsParser();
  ~DocTagsParser();
  DocTagsParser(DocTagsParser&&) noexcept;
  DocTagsParser& operator=(DocTagsParser&&) noexcept;

  /// Takes in more text; it counts for no confidence.
  void push(std::string_view text);
  /// Takes in the text of one token (perhaps none, perhaps a part of a character) and the natural logarithm
  /// of its probability. A token counts for every element that has a byte of it. Values above 0 count as 0,
  /// those below -100, and what is no number, as -100.
  void push(std::string_view piece, double logprob);
  /// The document, and the parser is as new: its first page has number 1. There is always one page.
  Document finish();

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

/// The document of a whole text.
Document parse_doctags(std::string_view text);

}  // namespace galago::documents
