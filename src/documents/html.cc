// A document as a static page in HTML5 that refers to nothing outside.
#include <algorithm>

#include "core/utf8.h"
#include "documents/element_words.h"
#include "documents/export.h"
#include "documents/markdown_table.h"

namespace galago::documents {
namespace {

constexpr std::string_view kStyle =
    "body{max-width:46rem;margin:2rem auto;padding:0 1rem;font:1rem/1.5 system-ui,sans-serif}"
    "table{border-collapse:collapse;margin:1rem 0}td,th{border:1px solid #999;padding:.25rem .5rem;"
    "text-align:left;vertical-align:top}caption,figcaption{font-style:italic;text-align:left}"
    "pre{background:#f3f3f3;padding:.75rem;overflow-x:auto}section+section{border-top:1px solid #999}"
    "figure{margin:1rem 0}.picture{border:1px dashed "
    "#999;padding:1rem}header,footer,.footnote{font-size:.875rem}"
    "p,li,td,th,dd,dt{white-space:pre-line}";

std::string wrapped(const std::string& tag, const std::string& inside, const std::string& attributes = {}) {
  return "<" + tag + attributes + ">" + inside + "</" + tag + ">";
}

class Writer {
 public:
  explicit Writer(const HtmlOptions& options) : options_(options) {}

  std::string page(const Page& page) const {
    std::string out;
    for (const Element& element : page.elements) {
      const std::string part = block(element);
      if (!part.empty()) out += part + "\n";
    }
    return wrapped("section", "\n" + out, " id=\"page-" + std::to_string(page.number) + "\"") + "\n";
  }

 private:
  std::string block(const Element& element) const {
    switch (element.kind) {
      case ElementKind::title:
        return wrapped("h1", words(element));
      case ElementKind::heading:
        return wrapped("h" + std::to_string(std::clamp(element.level + 1, 2, 6)), words(element));
      case ElementKind::page_header:
        return options_.page_headers ? wrapped("header", words(element)) : "";
      case ElementKind::page_footer:
        return options_.page_headers ? wrapped("footer", words(element)) : "";
      case ElementKind::footnote:
        return wrapped("p", words(element), " class=\"footnote\"");
      case ElementKind::checkbox:
        return wrapped("p", checkbox(element) + words(element));
      case ElementKind::list:
        return list(element);
      case ElementKind::code:
        return figure(code(element), element);
      case ElementKind::formula:
        return wrapped("p", formula(element));
      case ElementKind::table:
        return table(element);
      case ElementKind::document_index:
        return element.table ? table(element) : wrapped("p", words(element));
      case ElementKind::picture:
      case ElementKind::chart:
        return picture(element);
      case ElementKind::key_values:
        return key_values(element);
      case ElementKind::inline_group:
        return wrapped("p", line(element));
      case ElementKind::form: {
        std::string out;
        for (const Element& child : element.children) out += block(child);
        return wrapped("div", out, " class=\"form\"");
      }
      default:
        return wrapped("p", words(element));
    }
  }

  static std::string checkbox(const Element& element) {
    return std::string("<input type=\"checkbox\" disabled") + (element.selected ? " checked" : "") + "> ";
  }

  static std::string formula(const Element& element) {
    return wrapped("code", html_text(element.text), " class=\"formula\"");
  }

  std::string code(const Element& element) const {
    const std::string language =
        element.language.empty() ? "" : " class=\"language-" + html_text(element.language) + "\"";
    // A line break right behind <pre> would be taken away.
    const char* const first = element.text.starts_with('\n') ? "\n" : "";
    return "<pre>" + std::string(first) + wrapped("code", html_text(element.text), language) + "</pre>";
  }

  std::string line(const Element& group) const {
    std::string out;
    for (const Element& child : group.children) {
      const bool header = child.kind == ElementKind::page_header || child.kind == ElementKind::page_footer;
      if (header && !options_.page_headers) continue;
      if (!out.empty()) out += ' ';
      switch (child.kind) {
        case ElementKind::formula:
          out += formula(child);
          break;
        case ElementKind::code:
          out += wrapped("code", html_text(child.text)) + captions(child, "");
          break;
        case ElementKind::checkbox:
          out += checkbox(child) + words(child);
          break;
        default:
          out += words(child);
      }
    }
    return out;
  }

  std::string words(const Element& element) const {
    const bool group =
        !element.children.empty() && element.children.front().kind == ElementKind::inline_group;
    return group ? line(element.children.front()) : html_text(element.text);
  }

  std::string list(const Element& list) const {
    std::string out;
    bool open = false;
    for (const Element& child : list.children) {
      if (child.kind == ElementKind::list) {
        if (!open) out += "<li>";
        open = true;
        out += this->list(child);
        continue;
      }
      if (open) out += "</li>";
      open = true;
      out += "<li>" + words(child);
      for (const Element& inner : child.children) {
        if (inner.kind == ElementKind::list) out += this->list(inner);
      }
    }
    if (open) out += "</li>";
    return wrapped(list.numbered ? "ol" : "ul", out);
  }

  std::string captions(const Element& element, const std::string& tag) const {
    std::string out;
    for (const Element& caption : element.captions) {
      if (!out.empty()) out += ' ';
      out += words(caption);
    }
    return out.empty() || tag.empty() ? out : wrapped(tag, out);
  }

  std::string figure(const std::string& inside, const Element& element) const {
    const std::string caption = captions(element, "figcaption");
    return caption.empty() ? inside : wrapped("figure", caption + inside);
  }

  std::string rows(const Table& table, const std::string& caption) const {
    std::string out = caption;
    size_t next = 0;
    const std::vector<const TableCell*> grid = table_grid(table);
    for (int row = 0; row < table.rows; ++row) {
      out += "<tr>";
      for (int column = 0; column < table.columns; ++column, ++next) {
        const TableCell* const cell = grid[next];
        if (cell == nullptr) {
          out += "<td></td>";
        } else if (cell->row == row && cell->column == column) {
          out += this->cell(*cell);
        }
      }
      out += "</tr>";
    }
    return wrapped("table", out);
  }

  static std::string cell(const TableCell& cell) {
    std::string attributes;
    if (cell.column_header) attributes += " scope=\"col\"";
    if (!cell.column_header && (cell.row_header || cell.row_section)) attributes += " scope=\"row\"";
    const char* const tag = attributes.empty() ? "td" : "th";
    if (cell.row_span > 1) attributes += " rowspan=\"" + std::to_string(cell.row_span) + "\"";
    if (cell.column_span > 1) attributes += " colspan=\"" + std::to_string(cell.column_span) + "\"";
    return wrapped(tag, html_text(cell.text), attributes);
  }

  std::string table(const Element& element) const {
    if (!element.table || element.table->rows == 0) {
      const std::string caption = captions(element, "");
      return caption.empty() ? "" : wrapped("p", caption);
    }
    return rows(*element.table, captions(element, "caption"));
  }

  std::string picture(const Element& element) const {
    std::string out = captions(element, "figcaption");
    std::string shown = html_text(picture_class_words(element.picture_class));
    if (!element.smiles.empty())
      shown += (shown.empty() ? "" : " ") + wrapped("code", html_text(element.smiles));
    out += wrapped("div", shown, " class=\"picture\"");
    if (element.table && element.table->rows > 0) out += rows(*element.table, "");
    return wrapped("figure", out);
  }

  std::string key_values(const Element& element) const {
    std::string out;
    for (const std::string& pair : key_value_lines(element.key_values)) out += wrapped("li", html_text(pair));
    return figure(wrapped("ul", out, " class=\"key-values\""), element);
  }

  const HtmlOptions& options_;
};

}  // namespace

std::string html_text(std::string_view text) {
  std::string out;
  for (size_t at = 0; at < text.size();) {
    const unicode::CodePoint point = unicode::decode_at(text, at);
    const char32_t c = point.value;
    const bool control = (c < 0x20 && c != '\t' && c != '\n' && c != '\r') || (c >= 0x7F && c < 0xA0);
    const bool none = (c >= 0xFDD0 && c <= 0xFDEF) || (c & 0xFFFE) == 0xFFFE;
    if (c == '&') {
      out += "&amp;";
    } else if (c == '<') {
      out += "&lt;";
    } else if (c == '>') {
      out += "&gt;";
    } else if (c == '"') {
      out += "&quot;";
    } else {
      unicode::append(out, control || none ? U'\uFFFD' : c);
    }
    at += static_cast<size_t>(point.length);
  }
  return out;
}

std::string to_html(const Document& document, const HtmlOptions& options) {
  const Writer writer(options);
  std::string body;
  for (const Page& page : document.pages) body += writer.page(page);
  if (!options.whole_page) return body;
  return "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n<title>" +
         html_text(document.name.empty() ? "Document" : document.name) + "</title>\n<style>" +
         std::string(kStyle) + "</style>\n</head>\n<body>\n" + body + "</body>\n</html>\n";
}

}  // namespace galago::documents
