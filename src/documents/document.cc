// See the header.
#include "documents/document.h"

#include <algorithm>
#include <iterator>

#include "documents/document_limits.h"

namespace galago::documents {

const char* kind_name(ElementKind kind) {
  static constexpr std::array kNames = {
      "text",           "paragraph",   "reference", "handwritten_text", "title", "heading",    "footnote",
      "page_header",    "page_footer", "caption",   "checkbox",         "list",  "list_item",  "table",
      "document_index", "code",        "formula",   "picture",          "chart", "key_values", "form",
      "inline_group"};
  static_assert(kNames.size() == static_cast<size_t>(ElementKind::inline_group) + 1);
  return kNames[static_cast<size_t>(kind)];
}

const char* repair_name(RepairKind kind) {
  static constexpr std::array kNames = {"unclosed_tag",   "stray_close",     "stray_words",   "unknown_tag",
                                        "cut_tag",        "incomplete_box",  "corrected_box", "ragged_table",
                                        "misplaced_span", "misplaced_token", "left_out"};
  static_assert(kNames.size() == static_cast<size_t>(RepairKind::left_out) + 1);
  return kNames[static_cast<size_t>(kind)];
}

void append(Document& document, Document more) {
  const size_t pages = document.pages.size();
  const int first_page = document.pages.empty() ? 1 : document.pages.back().number + 1;
  const int shift = more.pages.empty() ? 0 : std::max(0, first_page - more.pages.front().number);
  for (Page& page : more.pages) {
    page.number += shift;
    document.pages.push_back(std::move(page));
  }
  for (Warning& warning : more.warnings) {
    warning.page += pages;
    document.warnings.push_back(std::move(warning));
  }
  document.repairs += more.repairs;
}

}  // namespace galago::documents
