// Markdown and plain text: the same walk, with and without marks.
// Reference: docling-core 2.104, MarkdownDocSerializer and PlainTextDocSerializer.
#include <algorithm>

#include "documents/document_limits.h"
#include "documents/element_words.h"
#include "documents/export.h"
#include "documents/markdown_table.h"
#include "documents/words.h"

namespace galago::documents {
namespace {

/// _ as \_ unless it is, and not within a picture's link.
void escape_underscores(std::string& out, std::string_view line) {
  const auto escape = [&](std::string_view words) {
    for (size_t i = 0; i < words.size(); ++i) {
      if (words[i] == '_' && (i == 0 || words[i - 1] != '\\')) out += '\\';
      out += words[i];
    }
  };
  size_t begin = 0;
  while (begin < line.size()) {
    const size_t picture = line.find("![", begin);
    const size_t link = picture == std::string_view::npos ? picture : line.find("](", picture + 2);
    const size_t end = link == std::string_view::npos ? link : line.find(')', link + 2);
    if (end == std::string_view::npos) break;
    escape(line.substr(begin, picture - begin));
    out += line.substr(picture, end + 1 - picture);
    begin = end + 1;
  }
  escape(line.substr(begin));
}

std::string escaped(std::string_view text) {
  std::string marked;
  for (size_t begin = 0; begin <= text.size();) {
    const size_t end = std::min(text.find('\n', begin), text.size());
    escape_underscores(marked, text.substr(begin, end - begin));
    if (end < text.size()) marked += '\n';
    begin = end + 1;
  }
  std::string out;
  for (const char byte : marked) {
    switch (byte) {
      case '&':
        out += "&amp;";
        break;
      case '<':
        out += "&lt;";
        break;
      case '>':
        out += "&gt;";
        break;
      default:
        out += byte;
    }
  }
  return out;
}

/// Line breaks that stay: two spaces before a single one.
std::string hard_breaks(std::string_view text) {
  std::string out;
  for (size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '\n') {
      out += text[i];
    } else if (i + 1 < text.size() && text[i + 1] == '\n') {
      out += "\n\n";
      ++i;
    } else {
      out += "  \n";
    }
  }
  return out;
}

size_t longest_ticks(std::string_view text) {
  size_t longest = 0;
  size_t run = 0;
  for (const char byte : text) {
    run = byte == '`' ? run + 1 : 0;
    longest = std::max(longest, run);
  }
  return longest;
}

std::string code_span(std::string_view text) {
  const std::string ticks(longest_ticks(text) + 1, '`');
  const char* const pad = text.starts_with('`') || text.ends_with('`') ? " " : "";
  return ticks + pad + std::string(text) + pad + ticks;
}

std::string code_block(std::string_view text) {
  const std::string fence(std::max<size_t>(3, longest_ticks(text) + 1), '`');
  return fence + "\n" + std::string(text) + "\n" + fence;
}

void join(std::string& out, std::string_view part, std::string_view between) {
  if (part.empty()) return;
  if (!out.empty()) out += between;
  out += part;
}

class Writer {
 public:
  Writer(const MarkdownOptions& options, bool plain) : options_(options), plain_(plain) {}

  std::string document(const Document& document) {
    std::string out;
    for (const Page& page : document.pages) {
      std::string text;
      for (const Element& element : page.elements) join(text, block(element), "\n\n");
      if (!text.empty() && !out.empty() && options_.page_break) join(out, *options_.page_break, "\n\n");
      join(out, text, "\n\n");
    }
    return out;
  }

 private:
  std::string block(const Element& element, bool in_line = false) {
    switch (element.kind) {
      case ElementKind::page_header:
      case ElementKind::page_footer:
        return options_.page_headers ? words(element) : "";
      case ElementKind::list:
        return list(element, 0);
      case ElementKind::table:
        return table(element);
      case ElementKind::document_index:
        return element.table ? table(element) : words(element);
      case ElementKind::picture:
      case ElementKind::chart:
        return picture(element);
      case ElementKind::key_values:
        return key_values(element);
      case ElementKind::code:
        return code(element, in_line);
      case ElementKind::formula:
        if (element.text.empty()) return "";
        return in_line ? "$" + element.text + "$" : "$$" + element.text + "$$";
      case ElementKind::inline_group:
        return line(element);
      case ElementKind::form: {
        std::string out;
        for (const Element& child : element.children) join(out, block(child), "\n\n");
        return out;
      }
      default:
        return words(element);
    }
  }

  std::string mark(std::string_view text) const { return plain_ ? std::string(text) : escaped(text); }

  std::string line(const Element& group) {
    std::string out;
    for (const Element& child : group.children) join(out, block(child, true), " ");
    return out;
  }

  /// The group that stands for an element's words, if it has one.
  static const Element* line_of(const Element& element) {
    const bool has = !element.children.empty() && element.children.front().kind == ElementKind::inline_group;
    return has ? &element.children.front() : nullptr;
  }

  std::string words(const Element& element) {
    const Element* const group = line_of(element);
    std::string text = group != nullptr ? line(*group) : element.text;
    if (element.kind == ElementKind::title || element.kind == ElementKind::heading) {
      if (plain_) return text;
      if (group == nullptr) {
        std::replace(text.begin(), text.end(), '\n', ' ');
        text = mark(text);
      }
      const int level = element.kind == ElementKind::title ? 1 : std::min(element.level + 1, 6);
      return std::string(static_cast<size_t>(level), '#') + " " + text;
    }
    if (element.kind == ElementKind::checkbox) text = (element.selected ? "- [x] " : "- [ ] ") + text;
    if (!plain_) text = hard_breaks(text);
    return group != nullptr ? text : mark(text);
  }

  /// A marker of Markdown, and behind it one that says something else.
  static std::string marker(const std::string& own) {
    const bool dash = own == "-" || own == "*" || own == "+";
    const bool number =
        own.size() > 1 && own.find_first_not_of("0123456789") == own.size() - 1 && own.back() == '.';
    if (dash || number) return own;
    return has_letter_or_digit(own) ? "- " + own : "-";
  }

  std::string list(const Element& list, int level) {
    const std::string indent(static_cast<size_t>(level) * 4, ' ');
    std::string out;
    for (const Element& child : list.children) {
      if (child.kind == ElementKind::list) {
        join(out, this->list(child, level + 1), "\n");
        continue;
      }
      const Element* const group = line_of(child);
      std::string text = group != nullptr ? line(*group) : child.text;
      if (group == nullptr) text = mark(plain_ ? text : hard_breaks(text));
      join(out, indent + marker(child.marker) + " " + text, "\n");
      for (const Element& inner : child.children) {
        if (inner.kind == ElementKind::list) join(out, this->list(inner, level + 1), "\n");
      }
    }
    return out;
  }

  std::string captions(const Element& element) {
    std::string out;
    for (const Element& caption : element.captions) {
      const Element* const group = line_of(caption);
      join(out, group != nullptr ? line(*group) : mark(caption.text), " ");
    }
    return out;
  }

  std::string code(const Element& element, bool in_line) {
    std::string out = plain_ ? element.text : in_line ? code_span(element.text) : code_block(element.text);
    join(out, captions(element), in_line ? " " : "\n\n");
    return out;
  }

  std::string table(const Element& element) {
    std::string out = captions(element);
    if (element.table)
      join(out, table_to_markdown(*element.table, options_.join_header_rows, bytes_), "\n\n");
    return out;
  }

  std::string picture(const Element& element) {
    std::string out = captions(element);
    if (!plain_) join(out, "<!-- image -->", "\n\n");
    join(out, picture_class_words(element.picture_class), "\n\n");
    join(out, element.smiles, "\n\n");
    if (element.table)
      join(out, table_to_markdown(*element.table, options_.join_header_rows, bytes_), "\n\n");
    return out;
  }

  std::string key_values(const Element& element) {
    if (!options_.key_values) return "<!-- missing-key-value-item -->";
    std::string out = captions(element);
    std::string lines;
    for (const std::string& pair : key_value_lines(element.key_values)) {
      join(lines, mark(pair), plain_ ? "\n" : "  \n");
    }
    join(out, lines, "\n\n");
    return out;
  }

  const MarkdownOptions& options_;
  bool plain_;
  size_t bytes_ = limits::kPaddedBytes;
};

}  // namespace

std::string to_markdown(const Document& document, const MarkdownOptions& options) {
  return Writer(options, false).document(document);
}

std::string to_text(const Document& document, const MarkdownOptions& options) {
  return Writer(options, true).document(document);
}

}  // namespace galago::documents
