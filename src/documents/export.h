// A document as text of other kinds. Nothing throws but std::bad_alloc; texts are UTF-8, malformed parts of
// the document's words replaced by U+FFFD where the format asks for it (JSON, HTML). Reference:
// docling-core 2.104. Markdown and plain text are those of DoclingDocument.export_to_markdown and
// export_to_text, byte for byte; docs/documents.md lists the exceptions.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "documents/document.h"

namespace galago::documents {

struct MarkdownOptions {
  std::optional<std::string> page_break;  ///< stands between two pages that have elements; nothing: no mark
  bool page_headers = false;              ///< page headers and footers, too
  /// Words of key-value regions; false: docling-core's comment in their place.
  bool key_values = true;
  /// The rows of column headers at the top of a table as one, as docling-core's writer makes it; false: the
  /// first row is the header, as of the tables that docling-core's reader makes, which mark no headers.
  bool join_header_rows = false;
};
std::string to_markdown(const Document& document, const MarkdownOptions& options = {});

/// Words without marks; tables as in Markdown.
std::string to_text(const Document& document, const MarkdownOptions& options = {});

struct HtmlOptions {
  bool page_headers = false;
  bool whole_page = true;  ///< with <html>, <head> and a style sheet; false: the body's content alone
};
/// A static page that refers to nothing outside.
std::string to_html(const Document& document, const HtmlOptions& options = {});

/// Words in HTML and its attributes: & < > " as entities, what HTML may not have and malformed UTF-8 as
/// U+FFFD.
std::string html_text(std::string_view text);

struct JsonOptions {
  /// `meta.galago__confidence` of items, from 0 to 1. docling-core's Markdown of such a document writes it as
  /// a line of its own, unless blocked_meta_names has that name.
  bool confidence = false;
};
/// A DoclingDocument, schema 1.10.0.
std::string to_json(const Document& document, const JsonOptions& options = {});

/// DocTags again, of the kind that docling-core writes; parse_doctags of it is the same document but for
/// confidences, warnings, names, numbers and sizes of pages. DocTags have no escapes: words that look like
/// tags come back as what they look like.
std::string to_doctags(const Document& document);

}  // namespace galago::documents
