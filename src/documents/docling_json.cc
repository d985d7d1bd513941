// A DoclingDocument in JSON.
// Reference: docling-core 2.104, DoclingDocument (schema 1.10.0). Its items lie in lists, one for each kind,
// and refer to each other by where they are: {"$ref": "#/texts/3"}.
#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>
#include <vector>

#include "core/utf8.h"
#include "documents/export.h"

namespace galago::documents {
namespace {

using Json = nlohmann::ordered_json;

// CodeLanguageLabel.
constexpr std::array<std::string_view, 61> kLanguages = {
    "Ada",        "Awk",         "Bash",       "bc",      "C",       "C#",         "C++",     "CMake",
    "COBOL",      "CSS",         "Ceylon",     "Clojure", "Crystal", "Cuda",       "Cython",  "D",
    "Dart",       "dc",          "Dockerfile", "DocLang", "Elixir",  "Erlang",     "FORTRAN", "Forth",
    "Go",         "HTML",        "Haskell",    "Haxe",    "Java",    "JavaScript", "JSON",    "Julia",
    "Kotlin",     "Latex",       "Lisp",       "Lua",     "Matlab",  "MoonScript", "Nim",     "OCaml",
    "ObjectiveC", "Octave",      "PHP",        "Pascal",  "Perl",    "Prolog",     "Python",  "Racket",
    "Ruby",       "Rust",        "SML",        "SQL",     "Scala",   "Scheme",     "Swift",   "Tikz",
    "TypeScript", "VisualBasic", "XML",        "YAML",    "unknown"};

const char* label_of(const Element& element) {
  switch (element.kind) {
    case ElementKind::heading:
      return "section_header";
    case ElementKind::checkbox:
      return element.selected ? "checkbox_selected" : "checkbox_unselected";
    case ElementKind::chart:
      return "picture";
    case ElementKind::key_values:
      return "key_value_region";
    case ElementKind::document_index:
      return element.table ? "document_index" : "text";
    case ElementKind::form:
      return "form_area";
    case ElementKind::inline_group:
      return "inline";
    default:
      return kind_name(element.kind);
  }
}

/// The items of one kind: the JSON of each.
struct Items {
  const char* name;
  std::vector<std::string> json;
};

class Writer {
 public:
  explicit Writer(const JsonOptions& options) : options_(options) {}

  std::string document(const Document& document) {
    Json children = Json::array();
    std::string pages;  // nlohmann's ordered object would look through all of them for each
    for (const Page& page : document.pages) {
      page_ = &page;
      const bool sized = page.unit != PageUnit::none && page.width > 0 && page.height > 0;
      width_ = sized ? page.width : 1;
      height_ = sized ? page.height : 1;
      const Json size{{"size", {{"width", width_}, {"height", height_}}}, {"page_no", page.number}};
      pages += (pages.empty() ? "\"" : ",\"") + std::to_string(page.number) + "\":" + dump(size);
      for (const Element& element : page.elements) add(element, "#/body", children);
    }
    const auto root = [](const char* ref, const char* layer, Json refs) {
      return Json{{"self_ref", ref},
                  {"children", std::move(refs)},
                  {"content_layer", layer},
                  {"name", "_root_"},
                  {"label", "unspecified"}};
    };
    std::string out = "{\"schema_name\":\"DoclingDocument\",\"version\":\"1.10.0\",\"name\":";
    out += dump(document.name.empty() ? "Document" : document.name);
    out += ",\"furniture\":" + dump(root("#/furniture", "furniture", Json::array()));
    out += ",\"body\":" + dump(root("#/body", "body", std::move(children)));
    for (Items* const items : {&groups_, &texts_, &pictures_, &tables_, &key_values_}) {
      out += ",\"" + std::string(items->name) + "\":[";
      for (size_t i = 0; i < items->json.size(); ++i) (out += i > 0 ? "," : "") += items->json[i];
      out += ']';
    }
    return out + ",\"form_items\":[],\"pages\":{" + pages + "}}";
  }

 private:
  static std::string dump(const Json& json) {
    return json.dump(-1, ' ', false, Json::error_handler_t::replace);
  }

  Json prov(const Box& box, const std::string& text) const {
    const auto [x0, y0, x1, y1] = box.fractions();
    return {{"page_no", page_->number},
            {"bbox",
             {{"l", x0 * width_},
              {"t", y0 * height_},
              {"r", x1 * width_},
              {"b", y1 * height_},
              {"coord_origin", "TOPLEFT"}}},
            {"charspan", {0, unicode::count(text)}}};
  }

  Json table(const Table& table) const {
    Json cells = Json::array();
    for (const TableCell& cell : table.cells) {
      Json item{{"row_span", cell.row_span},
                {"col_span", cell.column_span},
                {"start_row_offset_idx", cell.row},
                {"end_row_offset_idx", cell.row + cell.row_span},
                {"start_col_offset_idx", cell.column},
                {"end_col_offset_idx", cell.column + cell.column_span},
                {"text", cell.text},
                {"column_header", cell.column_header},
                {"row_header", cell.row_header},
                {"row_section", cell.row_section},
                {"fillable", false}};
      if (cell.box) item["bbox"] = prov(*cell.box, "")["bbox"];
      cells.push_back(std::move(item));
    }
    return {{"table_cells", std::move(cells)}, {"num_rows", table.rows}, {"num_cols", table.columns}};
  }

  Json graph(const KeyValues& pairs) const {
    Json cells = Json::array();
    for (const KeyValueCell& cell : pairs.cells) {
      Json item{{"label", cell.key ? "key" : "value"},
                {"cell_id", cell.id},
                {"text", cell.text},
                {"orig", cell.text}};
      if (cell.box) item["prov"] = prov(*cell.box, "");
      cells.push_back(std::move(item));
    }
    Json links = Json::array();
    for (const auto& [from, to] : pairs.links) {
      links.push_back({{"label", "to_value"}, {"source_cell_id", from}, {"target_cell_id", to}});
    }
    return {{"cells", std::move(cells)}, {"links", std::move(links)}};
  }

  Json meta(const Element& element) const {
    Json meta = Json::object();
    if (!element.picture_class.empty()) {
      Json prediction{{"class_name", element.picture_class}};
      if (element.confidence) prediction["confidence"] = *element.confidence;
      meta["classification"]["predictions"] = Json::array({std::move(prediction)});
    }
    if (!element.smiles.empty()) meta["molecule"] = {{"smi", element.smiles}};
    const bool picture = element.kind == ElementKind::picture || element.kind == ElementKind::chart;
    if (picture && element.table) {
      meta["tabular_chart"] = {{"title", element.picture_class.empty() ? "other" : element.picture_class},
                               {"chart_data", table(*element.table)}};
    }
    if (options_.confidence && element.confidence) meta["galago__confidence"] = *element.confidence;
    return meta;
  }

  Items& items_of(const Element& element) {
    switch (element.kind) {
      case ElementKind::list:
      case ElementKind::form:
      case ElementKind::inline_group:
        return groups_;
      case ElementKind::table:
        return tables_;
      case ElementKind::document_index:
        return element.table ? tables_ : texts_;
      case ElementKind::picture:
      case ElementKind::chart:
        return pictures_;
      case ElementKind::key_values:
        return key_values_;
      default:
        return texts_;
    }
  }

  /// What a kind has besides.
  void add_own(Json& item, const Element& element, bool numbered) const {
    switch (element.kind) {
      case ElementKind::heading:
        item["level"] = std::max(1, element.level);
        break;
      case ElementKind::list_item:
        item["enumerated"] = numbered;
        item["marker"] = element.marker;
        break;
      case ElementKind::code: {
        const std::string_view language = element.language;
        const bool known = std::find(kLanguages.begin(), kLanguages.end(), language) != kLanguages.end();
        item["code_language"] = known ? element.language : "unknown";
        break;
      }
      case ElementKind::table:
      case ElementKind::document_index:
        if (element.table) item["data"] = table(*element.table);
        break;
      case ElementKind::key_values:
        item["graph"] = graph(element.key_values);
        break;
      default:
        break;
    }
  }

  void add(const Element& element, const std::string& parent, Json& siblings, bool numbered = false) {
    // As docling-core's reader puts them, captions stand before what they belong to.
    Json captions = Json::array();
    for (const Element& caption : element.captions) {
      add(caption, parent, siblings);
      captions.push_back(siblings.back());
    }
    Items& items = items_of(element);
    const std::string self = "#/" + std::string(items.name) + "/" + std::to_string(items.json.size());
    siblings.push_back({{"$ref", self}});
    const size_t place = items.json.size();
    items.json.emplace_back();  // its children stand behind it
    Json children = Json::array();
    const bool header = element.kind == ElementKind::page_header || element.kind == ElementKind::page_footer;
    Json item{{"self_ref", self},
              {"parent", {{"$ref", parent}}},
              {"children", Json::array()},
              {"content_layer", header ? "furniture" : "body"},
              {"label", label_of(element)}};
    if (&items != &groups_) {
      item["prov"] = Json::array();
      if (element.box) item["prov"].push_back(prov(*element.box, element.text));
    } else {
      item["name"] = element.kind == ElementKind::list ? "list" : "group";
    }
    if (&items == &texts_) item["orig"] = item["text"] = element.text;
    if (Json more = meta(element); !more.empty()) item["meta"] = std::move(more);
    if (!captions.empty()) item["captions"] = std::move(captions);
    add_own(item, element, numbered);
    for (const Element& child : element.children) add(child, self, children, element.numbered);
    item["children"] = std::move(children);
    items.json[place] = dump(item);
  }

  const JsonOptions& options_;
  const Page* page_ = nullptr;
  double width_ = 1;
  double height_ = 1;
  Items groups_{"groups"};
  Items texts_{"texts"};
  Items pictures_{"pictures"};
  Items tables_{"tables"};
  Items key_values_{"key_value_items"};
};

}  // namespace

std::string to_json(const Document& document, const JsonOptions& options) {
  return Writer(options).document(document);
}

}  // namespace galago::documents
