// DocTags of a document, as docling-core writes them.
// Reference: docling-core 2.104, DocTagsDocSerializer.
#include <algorithm>
#include <array>
#include <unordered_map>

#include "documents/export.h"
#include "documents/markdown_table.h"

namespace galago::documents {
namespace {

std::string tag_of(const Element& element) {
  switch (element.kind) {
    case ElementKind::heading:
      return "section_header_level_" + std::to_string(std::clamp(element.level, 1, 6));
    case ElementKind::checkbox:
      return element.selected ? "checkbox_selected" : "checkbox_unselected";
    case ElementKind::list:
      return element.numbered ? "ordered_list" : "unordered_list";
    case ElementKind::table:
      return "otsl";
    case ElementKind::key_values:
      return "key_value_region";
    case ElementKind::inline_group:
      return "inline";
    default:
      return kind_name(element.kind);
  }
}

std::string location(const std::optional<Box>& box) {
  std::string out;
  if (!box) return out;
  for (const int side : {box->x0, box->y0, box->x1, box->y1}) out += "<loc_" + std::to_string(side) + ">";
  return out;
}

const char* cell_tag(const TableCell& cell) {
  if (cell.text.empty() && !cell.box) return "<ecel>";
  if (cell.column_header) return "<ched>";
  if (cell.row_header) return "<rhed>";
  return cell.row_section ? "<srow>" : "<fcel>";
}

std::string rows(const Table& table) {
  const std::vector<const TableCell*> grid = table_grid(table);
  std::string out;
  for (int row = 0; row < table.rows; ++row) {
    for (int column = 0; column < table.columns; ++column) {
      const TableCell* const cell = grid[static_cast<size_t>(row) * table.columns + column];
      if (cell == nullptr) {
        out += "<ecel>";
      } else if (cell->row == row && cell->column == column) {
        out += cell_tag(*cell) + location(cell->box) + cell->text;
      } else {
        out += cell->row == row ? "<lcel>" : cell->column == column ? "<ucel>" : "<xcel>";
      }
    }
    out += "<nl>";
  }
  return out;
}

std::string pairs(const KeyValues& pairs) {
  std::unordered_map<int, std::string> links;
  for (const auto& [from, to] : pairs.links) links[from] += "<link_" + std::to_string(to) + ">";
  std::string out;
  for (const KeyValueCell& cell : pairs.cells) {
    const std::string name = (cell.key ? "key_" : "value_") + std::to_string(cell.id);
    out += "<" + name + ">" + location(cell.box) + cell.text + links[cell.id] + "</" + name + ">";
    links.erase(cell.id);
  }
  return out;
}

std::string write(const Element& element) {
  const std::string tag = tag_of(element);
  std::string out = "<" + tag + ">" + location(element.box);
  if (element.kind == ElementKind::code && !element.language.empty()) out += "<_" + element.language + "_>";
  if (!element.picture_class.empty()) out += "<" + element.picture_class + ">";
  if (!element.smiles.empty()) out += "<smiles>" + element.smiles + "</smiles>";
  out += element.text;
  if (element.table) out += rows(*element.table);
  out += pairs(element.key_values);
  for (const Element& child : element.children) {
    const bool bare = element.kind == ElementKind::list && child.kind == ElementKind::list;
    out += bare ? "<list_item>" + write(child) + "</list_item>" : write(child);
  }
  for (const Element& caption : element.captions) out += write(caption);
  return out + "</" + tag + ">";
}

}  // namespace

std::string to_doctags(const Document& document) {
  std::string out = "<doctag>";
  for (size_t i = 0; i < document.pages.size(); ++i) {
    if (i > 0) out += "<page_break>";
    for (const Element& element : document.pages[i].elements) out += write(element);
  }
  return out + "</doctag>";
}

}  // namespace galago::documents
