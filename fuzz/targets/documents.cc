// DocTags or DocLang, whole and in pieces that the first bytes cut, and every export of the document.
#include <nlohmann/json.hpp>
#include <random>
#include <string>
#include <vector>

#include "core/utf8.h"
#include "documents/doctags_parser.h"
#include "documents/export.h"
#include "support/fuzz.h"

using namespace galago;
using namespace galago::documents;

namespace {

void check(const std::string& text) { fuzz::require(unicode::find_malformed(text) == std::string::npos); }

void check(const std::optional<Box>& box) {
  if (!box) return;
  fuzz::require(0 <= box->x0 && box->x0 <= box->x1 && box->x1 <= Box::kUnits);
  fuzz::require(0 <= box->y0 && box->y0 <= box->y1 && box->y1 <= Box::kUnits);
}

void check(const std::optional<double>& confidence) {
  fuzz::require(!confidence || (*confidence >= 0 && *confidence <= 1));
}

void check(const Table& table) {
  std::vector<bool> taken(static_cast<size_t>(table.rows) * table.columns);
  for (const TableCell& cell : table.cells) {
    check(cell.text);
    check(cell.box);
    check(cell.confidence);
    fuzz::require(cell.row_span >= 1 && cell.column_span >= 1);
    fuzz::require(cell.row + cell.row_span <= table.rows && cell.column + cell.column_span <= table.columns);
    for (int row = cell.row; row < cell.row + cell.row_span; ++row) {
      for (int column = cell.column; column < cell.column + cell.column_span; ++column) {
        const size_t place = static_cast<size_t>(row) * table.columns + column;
        fuzz::require(!taken[place]);
        taken[place] = true;
      }
    }
  }
}

void check(const Element& element) {
  check(element.text);
  check(element.smiles);
  check(element.box);
  check(element.confidence);
  if (element.table) check(*element.table);
  for (const KeyValueCell& cell : element.key_values.cells) check(cell.text);
  for (const Element& caption : element.captions) check(caption);
  for (const Element& child : element.children) check(child);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size == 0) return 0;
  std::mt19937 random(data[0]);
  const std::string_view text = fuzz::as_text(data + 1, size - 1);
  const Document document = parse_doctags(text);

  DocTagsParser parser;
  DocTagsParser tokens;
  for (size_t at = 0; at < text.size();) {
    const size_t length = random() % (2 + data[0] % 16);
    parser.push(text.substr(at, length));
    tokens.push(text.substr(at, length), -static_cast<double>(random() % 100) / 10);
    at += length;
  }
  fuzz::require(parser.finish() == document);
  for (const Page& page : tokens.finish().pages) {
    check(page.confidence);
    for (const Element& element : page.elements) check(element);
  }

  check(to_markdown(document, {.page_break = "---", .page_headers = true}));
  check(to_markdown(document, {.key_values = false, .join_header_rows = true}));
  check(to_text(document));
  check(to_html(document, {.page_headers = true}));
  fuzz::require(nlohmann::json::accept(to_json(document)));
  parse_doctags(to_doctags(document));
  return 0;
}
