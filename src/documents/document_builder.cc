// See the header.
#include "documents/document_builder.h"

#include <algorithm>
#include <utility>

#include "documents/document_limits.h"
#include "documents/words.h"

namespace galago::documents {
namespace {

using E = DocElement;

constexpr DocElements kLists = {E::ordered_list, E::unordered_list};
constexpr DocElements kWithin = {E::formula, E::code, E::checkbox_selected, E::checkbox_unselected};
// What a cell may hold of a page: its tags say nothing there, its words are the cell's.
constexpr DocElements kInCells =
    DocElements{E::text,         E::paragraph, E::footnote,  E::reference,
                E::inline_group, E::smiles,    E::list_item, E::handwritten_text} |
    kLists | kWithin;
// Names that pages may well speak of, being words or those of HTML.
constexpr DocElements kOrdinaryNames = {E::text,         E::title,  E::caption,   E::code,      E::picture,
                                        E::chart,        E::form,   E::paragraph, E::reference, E::references,
                                        E::inline_group, E::smiles, E::formula,   E::footnote};

ElementKind element_kind(DocElement tag) {
  switch (tag) {
    case E::title:
      return ElementKind::title;
    case E::section_header_level_0:
    case E::section_header_level_1:
    case E::section_header_level_2:
    case E::section_header_level_3:
    case E::section_header_level_4:
    case E::section_header_level_5:
    case E::section_header_level_6:
      return ElementKind::heading;
    case E::page_header:
      return ElementKind::page_header;
    case E::page_footer:
      return ElementKind::page_footer;
    case E::footnote:
      return ElementKind::footnote;
    case E::caption:
      return ElementKind::caption;
    case E::paragraph:
      return ElementKind::paragraph;
    case E::reference:
    case E::references:
      return ElementKind::reference;
    case E::handwritten_text:
      return ElementKind::handwritten_text;
    case E::checkbox_selected:
    case E::checkbox_unselected:
      return ElementKind::checkbox;
    case E::formula:
      return ElementKind::formula;
    case E::code:
      return ElementKind::code;
    case E::list_item:
      return ElementKind::list_item;
    case E::ordered_list:
    case E::unordered_list:
      return ElementKind::list;
    case E::picture:
      return ElementKind::picture;
    case E::chart:
      return ElementKind::chart;
    case E::otsl:
      return ElementKind::table;
    case E::document_index:
      return ElementKind::document_index;
    case E::inline_group:
      return ElementKind::inline_group;
    case E::form:
      return ElementKind::form;
    case E::key_value_region:
      return ElementKind::key_values;
    default:
      return ElementKind::text;
  }
}

}  // namespace

DocumentBuilder::DocumentBuilder() { document_.pages.emplace_back(); }

void DocumentBuilder::warn(RepairKind kind, size_t offset, std::string_view detail) {
  ++document_.repairs;
  if (document_.warnings.size() >= limits::kDocumentWarnings) return;
  document_.warnings.push_back(
      {.kind = kind, .page = document_.pages.size() - 1, .offset = offset, .detail = std::string(detail)});
}

bool DocumentBuilder::count(int64_t& counter, int64_t limit, const char* name, size_t offset) {
  if (counter >= limit) {
    stop(name, offset);
    return false;
  }
  ++counter;
  return true;
}

void DocumentBuilder::stop(const char* limit, size_t offset) {
  if (!stopped_) warn(RepairKind::left_out, offset, limit);
  stopped_ = true;
}

DocumentBuilder::Frame* DocumentBuilder::host() {
  const auto found = std::find_if(frames_.rbegin(), frames_.rend(),
                                  [](const Frame& frame) { return frame.role != Role::within; });
  return found == frames_.rend() ? nullptr : &*found;
}

DocumentBuilder::Frame* DocumentBuilder::push(Role role, DocElement tag, const Mark& begin) {
  const bool counts = role != Role::within && role != Role::key_value;
  if (counts && !count(elements_, limits::kDocumentElements, "kDocumentElements", begin.offset))
    return nullptr;
  Frame& frame = frames_.emplace_back();
  frame.role = role;
  frame.tag = tag;
  frame.element.kind = element_kind(tag);
  frame.begin = begin;
  return &frame;
}

bool DocumentBuilder::holds(const Frame& frame, DocElement tag) const {
  switch (frame.role) {
    case Role::words:
      if (frame.implied) return frame.tag == E::list_item && kLists.has(tag);
      if (tag == E::inline_group) return doc_rules(frame.tag).children.has(tag);
      if (frame.tag == E::list_item) return kLists.has(tag) || doc_rules(frame.tag).children.has(tag);
      return kWithin.has(tag) && doc_rules(frame.tag).children.has(tag);
    case Role::raw:
      return tag == E::caption && frame.tag == E::code;
    case Role::list:
      return tag == E::list_item || kLists.has(tag);
    case Role::table:
      if (tag == E::caption || (tag == E::otsl && frame.tag == E::document_index)) return true;
      return frame.table.in_cell() &&
             (kInCells.has(tag) || (trusted_ && (tag == E::otsl || tag == E::picture)));
    case Role::picture:
      return trusted_ || tag == E::caption || tag == E::smiles || tag == E::otsl;
    case Role::key_values:
      return tag == E::caption;
    case Role::key_value:
      return tag == E::text || kWithin.has(tag) || (trusted_ && (kInCells.has(tag) || tag == E::picture));
    case Role::group:
      return doc_rules(frame.tag).children.has(tag) || tag == E::list_item;
    case Role::within:
      return false;
  }
  return false;
}

bool DocumentBuilder::doubtful(const Frame& frame, DocElement tag) const {
  if (frame.role == Role::table && frame.table.in_cell() && tag == E::otsl) return true;
  if (trusted_ || !kOrdinaryNames.has(tag)) return false;
  if (frame.role == Role::raw) return true;
  const bool words = (frame.role == Role::words || frame.role == Role::key_value) && !frame.implied;
  if (!words || frame.words.empty()) {
    return false;
  }
  static constexpr std::string_view kBeforeWords = " \t([{\"'`/";
  return kBeforeWords.find(frame.words.back()) != std::string_view::npos;
}

void DocumentBuilder::settle(bool as_tag) {
  if (!doubtful_.waits) return;
  doubtful_.waits = false;
  if (as_tag) {
    return open(doubtful_.tag, doubtful_.text, doubtful_.begin, true);
  }
  Frame* const frame = host();
  if (frame->role == Role::table) {
    if (Frame* const table = push(Role::within, doubtful_.tag, doubtful_.begin)) table->nested = true;
    return;
  }
  frame->literal = frame->literal | DocElements{doubtful_.tag};
  frame->words += doubtful_.text;
}

bool DocumentBuilder::make_room(DocElement tag, std::string_view text, const Mark& begin, bool certain) {
  while (Frame* const frame = host()) {
    if (holds(*frame, tag)) return true;
    if (!certain && doubtful(*frame, tag)) {
      doubtful_ = {.waits = true, .tag = tag, .text = std::string(text), .begin = begin};
      return false;
    }
    drop_within();
    close_frame(begin, false);
  }
  return true;
}

void DocumentBuilder::drop_within(bool rows_go_on) {
  while (!frames_.empty() && frames_.back().role == Role::within) {
    if (rows_go_on && frames_.back().tag == E::otsl) return;
    warn(RepairKind::unclosed_tag, frames_.back().begin.offset, doc_name(frames_.back().tag));
    frames_.pop_back();
  }
}

void DocumentBuilder::open_page(const Mark& begin) {
  close_all(begin);
  if (page_tag_) next_page(begin, begin);
  page_tag_ = true;
}

void DocumentBuilder::open(DocElement tag, std::string_view text, const Mark& begin, bool certain) {
  if (tag == E::doctag) return open_page(begin);
  if (!make_room(tag, text, begin, certain)) return;
  if (frames_.size() >= limits::kDocumentDepth) {
    if (skipped_++ == 0) warn(RepairKind::left_out, begin.offset, "kDocumentDepth");
    return;
  }
  Frame* const around = host();
  const Role outer = around == nullptr ? Role::group : around->role;
  const bool nested = outer == Role::table && tag == E::otsl && around->table.in_cell();
  const bool among_words = outer == Role::words && tag != E::inline_group && !kLists.has(tag);
  const bool in_cell = outer == Role::table && tag != E::caption;
  if (among_words || in_cell || outer == Role::key_value || (outer == Role::picture && tag == E::otsl)) {
    if (in_cell && !around->table.words().empty() && !kWithin.has(tag)) around->table.words(" ");
    if (Frame* const frame = push(Role::within, tag, begin)) frame->nested = nested;
    return;
  }
  if (tag == E::list_item && outer != Role::list) {
    warn(RepairKind::misplaced_token, begin.offset, doc_name(tag));
    Frame* const list = push(Role::list, E::unordered_list, begin);
    if (list == nullptr) return;
    list->implied = true;
  }
  Role role = Role::words;
  if (tag == E::code || tag == E::formula || tag == E::smiles) role = Role::raw;
  if (kLists.has(tag)) role = Role::list;
  if (tag == E::otsl || tag == E::document_index) role = Role::table;
  if (tag == E::picture || tag == E::chart) role = Role::picture;
  if (tag == E::key_value_region) role = Role::key_values;
  if (tag == E::form || tag == E::inline_group) role = Role::group;
  Frame* const frame = push(role, tag, begin);
  if (frame == nullptr) return;
  frame->element.numbered = tag == E::ordered_list;
  frame->element.selected = tag == E::checkbox_selected;
  if (frame->element.kind == ElementKind::heading) {
    frame->element.level = std::max(1, static_cast<int>(tag) - static_cast<int>(E::section_header_level_0));
  }
}

void DocumentBuilder::close_frame(const Mark& end, bool by_tag) {
  Frame frame = std::move(frames_.back());
  frames_.pop_back();
  if (!by_tag && !frame.implied) {
    const bool pair = frame.role == Role::key_value;
    warn(RepairKind::unclosed_tag, frame.begin.offset,
         pair ? (frame.element.selected ? "key" : "value") : doc_name(frame.tag));
  }
  complete(frame, end);
}

void DocumentBuilder::close_all(const Mark& end) {
  while (!frames_.empty()) {
    drop_within();
    if (!frames_.empty()) close_frame(end, false);
  }
  skipped_ = 0;
}

void DocumentBuilder::close(const Tag& tag, const Mark& begin, const Mark& end) {
  if (tag.element == E::doctag) return close_all(begin);
  if (skipped_ > 0) {
    --skipped_;
    return;
  }
  const auto found = std::find_if(frames_.rbegin(), frames_.rend(), [&](const Frame& frame) {
    return frame.tag == tag.element && frame.role != Role::key_value && !frame.implied;
  });
  if (found == frames_.rend()) {
    Frame* const frame = host();
    const bool raw = frame != nullptr && frame->role == Role::raw;
    if (raw || (frame != nullptr && frame->literal.has(tag.element))) {
      frame->words += tag.text;
    } else {
      warn(RepairKind::stray_close, begin.offset, tag.name);
    }
    return;
  }
  const auto index = static_cast<size_t>(frames_.rend() - found) - 1;
  while (frames_.size() > index + 1) {
    drop_within();
    if (frames_.size() > index + 1) close_frame(begin, false);
  }
  if (frames_.size() <= index) return;  // it was one among words, which is dropped with those inside it
  if (frames_.back().role == Role::within) {
    frames_.pop_back();
  } else {
    close_frame(end, true);
  }
}

void DocumentBuilder::next_page(const Mark& begin, const Mark& end) {
  close_all(begin);
  document_.pages.back().confidence = confidence_of(begin.begun - page_begin_.ended);
  if (document_.pages.size() >= static_cast<size_t>(limits::kDocumentPages)) {
    warn(RepairKind::left_out, begin.offset, "kDocumentPages");
    return;
  }
  const int number = document_.pages.back().number + 1;
  document_.pages.emplace_back().number = number;
  page_begin_ = end;
  page_tag_ = false;
}

void DocumentBuilder::forget_unknown() {
  if (!unknown_.waits) return;
  unknown_.waits = false;
  warn(RepairKind::unknown_tag, unknown_.begin.offset, unknown_.text);
}

void DocumentBuilder::words(std::string_view bytes, const Mark& begin) {
  settle(false);
  if (stopped_) return;
  if (unknown_.waits && !is_blank(bytes)) {
    unknown_.waits = false;
    return add_words(unknown_.text + std::string(bytes), unknown_.begin);
  }
  add_words(bytes, begin);
}

void DocumentBuilder::cut(std::string_view bytes, const Mark& begin) {
  settle(false);
  if (!stopped_) warn(RepairKind::cut_tag, begin.offset, bytes);
}

void DocumentBuilder::tag(const Tag& tag, const Mark& begin, const Mark& end) {
  if (doubtful_.waits) {
    const Frame* const frame = host();
    // Code may well hold tags one behind the other, and a cell a table; an element of the page begins with
    // its place.
    const bool may_hold = frame != nullptr && (frame->role == Role::raw || frame->role == Role::table);
    settle(!may_hold || tag.kind == TagKind::location);
  }
  if (stopped_) return;
  forget_unknown();
  ordinary_tag(tag, begin, end);
}

void DocumentBuilder::ordinary_tag(const Tag& tag, const Mark& begin, const Mark& end) {
  const Frame* const frame = host();
  const bool raw = frame != nullptr && frame->role == Role::raw;
  switch (tag.kind) {
    case TagKind::element:
      return tag.closing ? close(tag, begin, end) : open(tag.element, tag.text, begin, false);
    case TagKind::page_break:
      if (!tag.closing) next_page(begin, end);
      return;
    case TagKind::location:
      return location(tag.number, begin);
    case TagKind::key:
    case TagKind::value:
    case TagKind::link:
      if (raw) break;
      return key_or_value(tag, begin, end);
    case TagKind::cell:
    case TagKind::row_end:
      if (raw || tag.closing) break;
      return cell(tag, begin);
    case TagKind::picture_class:
      if (raw) break;
      return named(tag, begin);
    case TagKind::marker:
      return mark_item(tag.name);
    case TagKind::language:
    case TagKind::unknown:
      return named(tag, begin);
  }
  not_known(tag, begin);
}

Document DocumentBuilder::finish(const Mark& end) {
  settle(false);
  forget_unknown();
  close_all(end);
  document_.pages.back().confidence = confidence_of(end.begun - page_begin_.ended);
  return std::move(document_);
}

}  // namespace galago::documents
