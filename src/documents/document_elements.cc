// An element is whole: its words cleaned, its table settled, its place among the others.
#include <algorithm>
#include <iterator>
#include <unordered_set>
#include <utility>

#include "documents/document_builder.h"
#include "documents/document_limits.h"
#include "documents/words.h"

namespace galago::documents {

using E = DocElement;

void DocumentBuilder::complete_words(Frame& frame) {
  Element& element = frame.element;
  // Behind a language, the white space in front of the first line is the code's.
  std::string text = clean_words(std::move(frame.words), !element.language.empty());
  if (frame.pieces.empty()) {
    element.text = std::move(text);
    return;
  }
  if (!text.empty()) frame.pieces.push_back({.kind = ElementKind::text, .text = std::move(text)});
  Element line{.kind = ElementKind::inline_group, .children = std::move(frame.pieces)};
  element.children.insert(element.children.begin(), std::move(line));
}

void DocumentBuilder::complete_table(Frame& frame, const Mark& end) {
  Element& element = frame.element;
  TableBuilder::Faults faults;
  if (!frame.table.empty() || frame.tag == E::otsl) {
    element.table = frame.table.finish(end, places_, faults);
  } else if (frame.tag == E::document_index) {
    element.text = clean_words(std::move(frame.words));
    return;
  }
  const size_t offset = frame.begin.offset;
  const char* const name = doc_name(frame.tag);
  if (faults.ragged) warn(RepairKind::ragged_table, offset, name);
  if (faults.spans) warn(RepairKind::misplaced_span, offset, name);
  if (faults.boxes) warn(RepairKind::corrected_box, offset, name);
  if (faults.incomplete_boxes) warn(RepairKind::incomplete_box, offset, name);
  if (faults.too_large) warn(RepairKind::left_out, offset, "kTablePlaces");
}

void DocumentBuilder::complete_key_values(Frame& frame) {
  KeyValues& pairs = frame.element.key_values;

  // Values may point at their key, too.
  std::unordered_set<int> keys;
  std::unordered_set<int> values;
  for (const KeyValueCell& cell : pairs.cells) (cell.key ? keys : values).insert(cell.id);
  for (auto& [from, to] : pairs.links) {
    if (!keys.contains(from) && values.contains(from) && keys.contains(to)) std::swap(from, to);
  }
  const auto lost = std::erase_if(pairs.links, [&](const auto& link) {
    return !keys.contains(link.second) && !values.contains(link.second);
  });
  if (lost > 0) warn(RepairKind::misplaced_token, frame.begin.offset, "link");
}

void DocumentBuilder::place_key_value(Frame& frame, const Mark& end) {
  bool corrected = false;
  KeyValueCell cell{.id = frame.element.level,
                    .key = frame.element.selected,
                    .text = clean_words(std::move(frame.words)),
                    .box = frame.box.box(corrected),
                    .confidence = confidence_of(end.begun - frame.begin.ended)};
  KeyValues& pairs = frames_.back().element.key_values;
  pairs.cells.push_back(std::move(cell));
  pairs.links.insert(pairs.links.end(), frame.links.begin(), frame.links.end());
}

void DocumentBuilder::complete(Frame& frame, const Mark& end) {
  const char* const name = frame.role == Role::key_value ? "key_value" : doc_name(frame.tag);
  bool corrected = false;
  frame.element.box = frame.box.box(corrected);
  if (corrected) warn(RepairKind::corrected_box, frame.begin.offset, name);
  if (frame.box.incomplete()) warn(RepairKind::incomplete_box, frame.begin.offset, name);
  if (frame.role == Role::key_value) return place_key_value(frame, end);
  frame.element.confidence = confidence_of(end.begun - frame.begin.ended);

  if (frame.role == Role::words || frame.role == Role::raw) complete_words(frame);
  if (frame.role == Role::table || frame.role == Role::picture) complete_table(frame, end);
  if (frame.role == Role::key_values) complete_key_values(frame);
  if (frame.role == Role::list && frame.element.numbered) {
    int number = 0;
    for (Element& item : frame.element.children) {
      if (item.kind != ElementKind::list_item) continue;
      ++number;
      if (item.marker.empty()) item.marker = std::to_string(number) + ".";
    }
  }
  if (!is_blank(frame.words)) {
    warn(RepairKind::stray_words, frame.offset, name);
    frame.behind.push_back({.kind = ElementKind::text, .text = clean_words(std::move(frame.words))});
  }
  for (Element& element : frame.before) place(frame, std::move(element));
  place(frame, std::move(frame.element));
  for (Element& element : frame.behind) place(frame, std::move(element));
}

void DocumentBuilder::place(Frame& frame, Element element) {
  if (frames_.empty()) {
    document_.pages.back().elements.push_back(std::move(element));
    return;
  }
  Frame& around = frames_.back();
  if (frame.tag == E::smiles && around.role == Role::picture) {
    around.element.smiles += element.text;
    return;
  }
  if (element.kind == ElementKind::caption && around.role != Role::group && around.role != Role::words) {
    around.element.captions.push_back(std::move(element));
    return;
  }
  if (element.kind == ElementKind::inline_group && around.role == Role::words) {
    std::string words = clean_words(std::exchange(around.words, {}));
    if (!words.empty()) around.pieces.push_back({.kind = ElementKind::text, .text = std::move(words)});
    if (around.box.empty()) around.box = frame.box;
    std::move(element.children.begin(), element.children.end(), std::back_inserter(around.pieces));
    return;
  }
  if (around.role == Role::picture) {
    around.behind.push_back(std::move(element));
    return;
  }
  // An item that holds a list and nothing else is how docling-core writes a list in a list.
  const bool only_lists = element.kind == ElementKind::list_item && element.text.empty() &&
                          element.marker.empty() && !element.box && !element.children.empty() &&
                          element.children.front().kind == ElementKind::list;
  if (only_lists && around.role == Role::list) {
    std::move(element.children.begin(), element.children.end(), std::back_inserter(around.element.children));
    return;
  }
  around.element.children.push_back(std::move(element));
}

}  // namespace galago::documents
