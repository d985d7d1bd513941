// What galago makes of DocTags, for tools/oracle/documents_pages.py.
// In: lines of JSON texts, each the DocTags of a document, on standard input. Out: for each a line of JSON, an object
// with its exports and what was put right.
#include <iostream>
#include <nlohmann/json.hpp>
#include <string>

#include "documents/doctags_parser.h"
#include "documents/export.h"

int main() {
  using namespace galago::documents;
  for (std::string line; std::getline(std::cin, line);) {
    const Document document = parse_doctags(nlohmann::json::parse(line).get<std::string>());
    nlohmann::json out;
    out["markdown"] = to_markdown(document);
    // As docling-core writes what its own reader reads, but for what that loses.
    out["markdown_as_docling"] = to_markdown(document, {.key_values = false});
    // As docling-core writes the document that to_json gives it.
    out["markdown_of_json"] = to_markdown(document, {.key_values = false, .join_header_rows = true});
    out["text_of_json"] = to_text(document, {.key_values = false, .join_header_rows = true});
    out["html"] = to_html(document);
    out["json"] = to_json(document);
    out["doctags"] = to_doctags(document);
    out["round_trip"] = parse_doctags(to_doctags(document)).pages == document.pages;
    out["warnings"] = nlohmann::json::array();
    for (const Warning& warning : document.warnings) {
      out["warnings"].push_back({repair_name(warning.kind), warning.offset, warning.detail});
    }
    std::cout << out.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace) << std::endl;
  }
}
