// See the header.
#include "documents/doclang_reader.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <utility>

#include "documents/document.h"
#include "documents/document_limits.h"
#include "documents/words.h"

namespace galago::documents {
namespace {

using E = DocElement;

// Elements that are elements of DocTags.
constexpr std::array<std::pair<std::string_view, E>, 16> kElements = {{
    {"doclang", E::doctag},
    {"text", E::text},
    {"heading", E::title},
    {"caption", E::caption},
    {"footnote", E::footnote},
    {"page_header", E::page_header},
    {"page_footer", E::page_footer},
    {"formula", E::formula},
    {"code", E::code},
    {"picture", E::picture},
    {"table", E::otsl},
    {"tabular", E::otsl},
    {"index", E::document_index},
    {"list", E::unordered_list},
    {"field_region", E::form},
    {"docling__smiles", E::smiles},
}};
// Elements that are something else.
constexpr std::array<std::string_view, 19> kSpecial = {
    "location", "label", "checkbox", "handwriting", "ldiv", "marker", "key",  "value", "br",  "page_break",
    "fcel",     "ecel",  "ched",     "rhed",        "corn", "srow",   "lcel", "ucel",  "xcel"};
// Elements that say nothing about the words in them.
constexpr std::array<std::string_view, 12> kTransparent = {
    "content",     "group",     "bold", "italic",     "underline",     "strikethrough",
    "superscript", "subscript", "rtl",  "field_item", "field_heading", "hint"};
// Elements whose content is not on the page.
constexpr std::array<std::string_view, 14> kSkipped = {"head",  "custom", "src",    "description", "summary",
                                                       "layer", "thread", "href",   "xref",        "track",
                                                       "hour",  "minute", "second", "centisecond"};

template <size_t N>
bool contains(const std::array<std::string_view, N>& names, std::string_view name) {
  return std::find(names.begin(), names.end(), name) != names.end();
}

/// The entry of the table, whose name stays.
const std::pair<std::string_view, E>* element_of(std::string_view name) {
  const auto found = std::find_if(kElements.begin(), kElements.end(),
                                  [&](const auto& entry) { return entry.first == name; });
  return found == kElements.end() ? nullptr : &*found;
}

/// The value of an attribute; empty: there is none.
std::string_view attribute(std::string_view attributes, std::string_view name) {
  for (size_t at = attributes.find(name); at != std::string_view::npos; at = attributes.find(name, at + 1)) {
    const bool whole =
        at > 0 && (attributes[at - 1] == ' ' || attributes[at - 1] == '\n' || attributes[at - 1] == '\t');
    const size_t quote = at + name.size() + 1;
    if (!whole || quote >= attributes.size() || attributes[quote - 1] != '=') continue;
    const char mark = attributes[quote];
    if (mark != '"' && mark != '\'') continue;
    const size_t end = attributes.find(mark, quote + 1);
    return end == std::string_view::npos ? std::string_view() : attributes.substr(quote + 1, end - quote - 1);
  }
  return {};
}

int number(std::string_view attributes, std::string_view name, int otherwise) {
  const std::string_view text = attribute(attributes, name);
  int value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  const bool whole =
      error == std::errc() && end == text.data() + text.size() && value >= 0 && value <= 1'000'000;
  return whole ? value : otherwise;
}

/// Languages go by GitHub's names in DocLang.
std::string_view language_of(std::string_view name) {
  static constexpr std::array<std::pair<std::string_view, std::string_view>, 10> kNames = {{
      {"Shell", "Bash"},
      {"Fortran", "FORTRAN"},
      {"TeX", "Latex"},
      {"Common Lisp", "Lisp"},
      {"MATLAB", "Matlab"},
      {"Objective-C", "ObjectiveC"},
      {"Standard ML", "SML"},
      {"Visual Basic .NET", "VisualBasic"},
      {"other", "unknown"},
      {"undefined", "unknown"},
  }};
  for (const auto& [doclang, doctags] : kNames) {
    if (name == doclang) return doctags;
  }
  return name;
}

Tag tag_of(TagKind kind, std::string_view name) { return {.kind = kind, .name = name, .text = name}; }

Tag element_tag(E element, bool closing) {
  return {.kind = TagKind::element, .element = element, .closing = closing, .name = doc_name(element)};
}

/// Elements in which formulas and code stand in a line.
constexpr DocElements kLines = {E::text,
                                E::title,
                                E::caption,
                                E::footnote,
                                E::page_header,
                                E::page_footer,
                                E::list_item,
                                E::section_header_level_1,
                                E::checkbox_selected,
                                E::checkbox_unselected,
                                E::handwritten_text};

}  // namespace

bool is_doclang_name(std::string_view name) {
  return element_of(name) != nullptr || name == "nl" || name == "default_resolution" ||
         contains(kSpecial, name) || contains(kTransparent, name) || contains(kSkipped, name);
}

void DocLangReader::settle_text(E tag, DocTagsEvents& events) {
  if (!text_) return;
  const Text text = *std::exchange(text_, std::nullopt);
  events.tag(element_tag(tag, false), text.begin, text.end);
  if (!open_.empty()) open_.back().tag = tag;
  for (const int value : text.locations) {
    Tag location = tag_of(TagKind::location, "loc");
    location.number = value;
    events.tag(location, text.begin, text.end);
  }
}

void DocLangReader::settle_marker(const Mark& end, DocTagsEvents& events) {
  if (!marker_) return;
  const std::string text = *std::exchange(marker_, std::nullopt);
  events.tag(tag_of(TagKind::marker, text), end, end);
}

void DocLangReader::key_or_value(std::string_view name, const Mark& begin, const Mark& end,
                                 DocTagsEvents& events) {
  if (in_table()) return;
  ++fields_open_;
  if (text_) {
    text_.reset();
    open_.back().silent = true;
  }
  const bool key = name == "key";
  Tag tag = tag_of(key ? TagKind::key : TagKind::value, name);
  tag.number = fields_++;
  events.tag(tag, begin, end);
  if (key) {
    key_ = tag.number;
  } else if (key_) {
    tag = tag_of(TagKind::link, "link");
    tag.number = *key_;
    events.tag(tag, begin, end);
  }
}

void DocLangReader::location(std::string_view attributes, const Mark& begin, const Mark& end,
                             DocTagsEvents& events) {
  const int resolution = std::max(1, number(attributes, "resolution", resolution_));
  const int value = number(attributes, "value", 0);
  Tag tag = tag_of(TagKind::location, "loc");
  tag.number = static_cast<int>((int64_t{value} * Box::kUnits + resolution / 2) / resolution);
  if (text_ && text_->locations.size() < 4) {
    text_->locations.push_back(tag.number);
  } else if (!text_) {
    events.tag(tag, begin, end);
  }
}

bool DocLangReader::in_line() const {
  if (open_.empty()) return false;
  const Open& around = open_.back();
  return around.name == "heading" || kLines.has(around.tag) || (around.name == "list" && around.item);
}

bool DocLangReader::in_table() const {
  return std::any_of(open_.begin(), open_.end(),
                     [](const Open& open) { return open.tag == E::otsl || open.tag == E::document_index; });
}

void DocLangReader::checkbox(bool selected, const Mark& begin, const Mark& end, DocTagsEvents& events) {
  const E tag = selected ? E::checkbox_selected : E::checkbox_unselected;
  if (in_table() || fields_open_ > 0) return events.words(selected ? "[x] " : "[ ] ", begin);
  if (text_) return settle_text(tag, events);
  const bool line = in_line();
  if (line) events.tag(element_tag(E::inline_group, false), begin, begin);
  events.tag(element_tag(tag, false), begin, end);
  events.tag(element_tag(tag, true), end, end);
  if (line) events.tag(element_tag(E::inline_group, true), end, end);
}

void DocLangReader::label(std::string_view attributes, const Mark& begin, const Mark& end,
                          DocTagsEvents& events) {
  const std::string_view value = attribute(attributes, "value");
  const E around = open_.empty() ? E::none : open_.back().tag;
  if (around == E::code) {
    const std::string language = "_" + std::string(language_of(value)) + "_";
    events.tag(tag_of(TagKind::language, language), begin, end);
  } else if ((around == E::picture || around == E::chart) && !value.empty() && value != "undefined") {
    events.tag(tag_of(TagKind::picture_class, value), begin, end);
  }
}

void DocLangReader::pop(size_t size) {
  open_.erase(open_.begin() + static_cast<std::ptrdiff_t>(size), open_.end());
}

void DocLangReader::item(const Mark& begin, const Mark& end, DocTagsEvents& events) {
  const auto list =
      std::find_if(open_.rbegin(), open_.rend(), [](const Open& open) { return open.name == "list"; });
  if (list != open_.rend()) {
    pop(static_cast<size_t>(open_.rend() - list));
    if (std::exchange(open_.back().item, true)) events.tag(element_tag(E::list_item, true), begin, begin);
  }
  events.tag(element_tag(E::list_item, false), begin, end);
}

bool DocLangReader::open_special(std::string_view name, std::string_view attributes, const Mark& begin,
                                 const Mark& end, DocTagsEvents& events) {
  if (name == "location") {
    location(attributes, begin, end, events);
  } else if (name == "checkbox") {
    checkbox(attribute(attributes, "class") == "selected", begin, end, events);
  } else if (name == "handwriting") {
    settle_text(E::handwritten_text, events);
  } else if (name == "default_resolution") {
    resolution_ = std::max(1, number(attributes, "width", resolution_));
  } else {
    return false;
  }
  return true;
}

void DocLangReader::open_element(std::string_view name, std::string_view attributes, E tag, const Mark& begin,
                                 const Mark& end, DocTagsEvents& events) {
  if (name == "heading") {
    const int level = number(attributes, "level", 1);
    if (level > 1) tag = static_cast<E>(static_cast<int>(E::section_header_level_0) + std::min(level - 1, 6));
  }
  if (name == "list" && attribute(attributes, "class") == "ordered") tag = E::ordered_list;
  if (name == "picture" && attribute(attributes, "class") == "chart") tag = E::chart;
  Open open{.name = name, .tag = tag};
  if (in_line() && (tag == E::formula || tag == E::code)) {
    open.in_line = true;
    events.tag(element_tag(E::inline_group, false), begin, begin);
  }
  if (name == "text") {
    text_ = Text{begin, end, {}};
  } else {
    events.tag(element_tag(tag, false), begin, end);
  }
  open_.push_back(open);
}

void DocLangReader::open(std::string_view name, std::string_view attributes, bool empty, const Mark& begin,
                         const Mark& end, DocTagsEvents& events) {
  if (open_special(name, attributes, begin, end, events)) return;
  const auto* const element = element_of(name);
  if (contains(kSkipped, name) || (skipping_ > 0 && element == nullptr)) {
    skipping_ += empty ? 0 : 1;
    return;
  }
  skipped_ = name == "docling__smiles" ? skipping_ : 0;
  skipping_ = 0;
  if (name == "content") content_ = !empty;
  if (name == "field_item") key_.reset();
  if (contains(kTransparent, name)) return;
  if (name == "label") return label(attributes, begin, end, events);
  settle_marker(begin, events);
  if (name == "key" || name == "value") return key_or_value(name, begin, end, events);
  settle_text(E::text, events);
  if (name == "marker") {
    marker_.emplace();
  } else if (name == "ldiv") {
    item(begin, end, events);
  } else if (name == "br") {
    events.words("\n", begin);
  } else if (name == "page_break") {
    events.tag(tag_of(TagKind::page_break, name), begin, end);
  } else if (name == "nl") {
    events.tag(tag_of(TagKind::row_end, name), begin, end);
  } else if (element == nullptr) {
    events.tag(tag_of(TagKind::cell, name == "corn" ? "ched" : name), begin, end);
  } else if (open_.size() < 2 * limits::kDocumentDepth) {
    open_element(element->first, attributes, element->second, begin, end, events);
    if (empty) close(name, end, end, events);
  }
}

void DocLangReader::close(std::string_view name, const Mark& begin, const Mark& end, DocTagsEvents& events) {
  if (skipping_ > 0 && element_of(name) == nullptr) {
    --skipping_;
    return;
  }
  if (name == "content") content_ = false;
  settle_marker(end, events);
  if (name == "field_item") key_.reset();
  if (name == "key" || name == "value") {
    if (in_table()) return;
    fields_open_ = std::max(0, fields_open_ - 1);
    Tag tag = tag_of(name == "key" ? TagKind::key : TagKind::value, name);
    tag.closing = true;
    return events.tag(tag, begin, end);
  }
  if (element_of(name) == nullptr) return;
  settle_text(E::text, events);
  if (name == "docling__smiles") skipping_ = std::exchange(skipped_, 0);
  const auto found =
      std::find_if(open_.rbegin(), open_.rend(), [&](const Open& open) { return open.name == name; });
  if (found == open_.rend()) return events.tag(element_tag(element_of(name)->second, true), begin, end);
  const Open open = *found;
  pop(static_cast<size_t>(open_.rend() - found) - 1);
  if (open.silent) return;
  if (open.item) events.tag(element_tag(E::list_item, true), begin, begin);
  events.tag(element_tag(open.tag, true), begin, end);
  if (open.in_line) events.tag(element_tag(E::inline_group, true), end, end);
}

void DocLangReader::words(std::string_view bytes, const Mark& begin, DocTagsEvents& events) {
  if (marker_) {
    marker_->append(bytes.substr(0, limits::kDocLangTagBytes));
    return;
  }
  const bool code = !open_.empty() && open_.back().tag == E::code;
  const bool blank = is_blank(bytes);
  if (skipping_ > 0 || (blank && (text_ || (code && !content_)))) return;
  if (code && !content_) bytes = stripped(bytes);
  if (blank && !content_ && in_table()) return;
  settle_text(E::text, events);
  events.words(bytes, begin);
}

void DocLangReader::finish(const Mark& end, DocTagsEvents& events) {
  settle_marker(end, events);
  settle_text(E::text, events);
}

}  // namespace galago::documents
