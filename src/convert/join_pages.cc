// See the header.
#include "convert/join_pages.h"

#include <algorithm>
#include <charconv>
#include <iterator>
#include <optional>
#include <string_view>
#include <utility>
#include <vector>

namespace galago::convert {
namespace {

using documents::Element;
using documents::ElementKind;
using documents::Table;
using documents::TableCell;

bool is_aside(const Element& element) {
  return element.kind == ElementKind::page_header || element.kind == ElementKind::page_footer ||
         element.kind == ElementKind::footnote;
}

bool is_paragraph(const Element& element) {
  return (element.kind == ElementKind::text || element.kind == ElementKind::paragraph) &&
         element.children.empty() && !element.text.empty();
}

bool is_small(char c) { return c >= 'a' && c <= 'z'; }

bool join_paragraphs(Element& first, Element& second) {
  if (!is_paragraph(first) || !is_paragraph(second) || !is_small(second.text.front())) return false;
  std::string& text = first.text;
  if (std::string_view(".!?:;").find(text.back()) != std::string_view::npos) return false;
  const bool hyphen = text.size() > 1 && text.back() == '-' && is_small(text[text.size() - 2]);
  if (hyphen)
    text.pop_back();
  else
    text += ' ';
  text += second.text;
  return true;
}

// The number of a marker such as "12."; nothing for others.
std::optional<int> number_of(std::string_view marker) {
  int number = 0;
  const auto read = std::from_chars(marker.data(), marker.data() + marker.size(), number);
  return read.ec == std::errc{} ? std::optional(number) : std::nullopt;
}

bool join_lists(Element& first, Element& second) {
  if (first.kind != ElementKind::list || second.kind != ElementKind::list ||
      first.numbered != second.numbered)
    return false;
  if (first.children.empty() || second.children.empty()) return false;
  if (first.numbered) {
    const auto last = number_of(first.children.back().marker),
               next = number_of(second.children.front().marker);
    if (!last || !next || int64_t{*next} - 1 != *last) return false;
  }
  std::ranges::move(second.children, std::back_inserter(first.children));
  return true;
}

std::vector<std::string> row_texts(const Table& table, int row) {
  std::vector<std::string> texts(static_cast<size_t>(table.columns));
  for (const TableCell& cell : table.cells)
    if (cell.row == row && cell.column >= 0 && cell.column < table.columns)
      texts[static_cast<size_t>(cell.column)] = cell.text;
  return texts;
}

bool reaches_past(const Table& table, int row) {
  return std::ranges::any_of(table.cells, [row](const TableCell& cell) {
    return cell.row <= row && cell.row + cell.row_span > row + 1;
  });
}

bool join_tables(Element& first, Element& second) {
  if (first.kind != ElementKind::table || second.kind != ElementKind::table || !first.table || !second.table)
    return false;
  Table& table = *first.table;
  Table& more = *second.table;
  if (table.columns != more.columns || table.rows < 1 || more.rows < 1 || !second.captions.empty())
    return false;
  const bool again = row_texts(table, 0) == row_texts(more, 0) && !reaches_past(more, 0);
  for (TableCell& cell : more.cells) {
    if (again && cell.row == 0) continue;
    cell.row += table.rows - again;
    if (!again) cell.column_header = false;
    table.cells.push_back(std::move(cell));
  }
  table.rows += more.rows - again;
  return true;
}

// The rest of `page` that the last element of the one before takes in.
bool join(documents::Page& before, documents::Page& page) {
  const auto last = std::find_if_not(before.elements.rbegin(), before.elements.rend(), is_aside);
  const auto first = std::ranges::find_if_not(page.elements, is_aside);
  if (last == before.elements.rend() || first == page.elements.end()) return false;
  if (!join_paragraphs(*last, *first) && !join_lists(*last, *first) && !join_tables(*last, *first))
    return false;
  page.elements.erase(first);
  return true;
}

}  // namespace

int64_t join_pages(documents::Document& document) {
  int64_t joined = 0;
  size_t begin = 0;  // the page where what may go on stands
  for (size_t i = 1; i < document.pages.size(); ++i) {
    const bool goes_on = join(document.pages[begin], document.pages[i]);
    joined += goes_on;
    const auto& left = document.pages[i].elements;
    // A page that is all of one paragraph may go on, too.
    if (!goes_on || !std::ranges::all_of(left, is_aside)) begin = i;
  }
  return joined;
}

}  // namespace galago::convert
