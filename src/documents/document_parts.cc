// What stands inside of elements: words, cells, keys and values, places, and tags that name something.
#include <algorithm>

#include "documents/document_builder.h"
#include "documents/document_limits.h"
#include "documents/words.h"

namespace galago::documents {

using E = DocElement;

void DocumentBuilder::add_words(std::string_view bytes, const Mark& begin) {
  Frame* const frame = host();
  const bool blank = is_blank(bytes);
  const size_t offset = begin.offset + static_cast<size_t>(stripped(bytes).data() - bytes.data());
  if (frame == nullptr) {
    if (blank) return;
    warn(RepairKind::stray_words, offset, "");
    if (Frame* const text = push(Role::words, E::text, begin)) {
      text->implied = true;
      text->words = bytes;
    }
    return;
  }
  switch (frame->role) {
    case Role::words:
    case Role::raw:
    case Role::key_value:
      frame->words += bytes;
      return;
    case Role::table:
      if (frame->table.in_cell()) return frame->table.words(bytes);
      break;
    case Role::picture:
      if (frame->table.in_cell()) return frame->table.words(bytes);
      break;
    case Role::list:
    case Role::group:
      if (blank) return;
      warn(RepairKind::stray_words, offset, doc_name(frame->tag));
      if (Frame* const words = push(Role::words, frame->role == Role::list ? E::list_item : E::text, begin)) {
        words->implied = true;
        words->words = bytes;
      }
      return;
    case Role::key_values:
    case Role::within:
      break;
  }
  if (is_blank(frame->words)) frame->offset = offset;
  frame->words += bytes;
}

bool DocumentBuilder::keep_as_words(std::string_view text) {
  Frame* const frame = host();
  if (frame == nullptr) return false;
  const bool holds_words =
      frame->role == Role::words || frame->role == Role::raw || frame->role == Role::key_value;
  if (holds_words && !(frame->implied && text.find('|') != std::string_view::npos)) {
    frame->words += text;
    return true;
  }
  if ((frame->role == Role::table || frame->role == Role::picture) && frame->table.in_cell()) {
    frame->table.words(text);
    return true;
  }
  return false;
}

void DocumentBuilder::not_known(const Tag& tag, const Mark& begin) {
  if (keep_as_words(tag.text)) return;
  const bool marks_chat = tag.text.find('|') != std::string_view::npos;
  if (host() == nullptr && !marks_chat && !tag.closing && tag.kind == TagKind::unknown) {
    unknown_ = {.waits = true, .text = std::string(tag.text), .begin = begin};
  } else {
    warn(RepairKind::unknown_tag, begin.offset, tag.text);
  }
}

void DocumentBuilder::cell(const Tag& tag, const Mark& begin) {
  drop_within(true);
  if (!frames_.empty() && frames_.back().nested) return host()->table.words(" ");
  if (!frames_.empty() && frames_.back().tag == E::caption && frames_.size() > 1) {
    const Role outer = frames_[frames_.size() - 2].role;
    if (outer == Role::table || outer == Role::picture) close_frame(begin, false);
  }
  Frame* frame = host();
  const bool nowhere = frame == nullptr || (frame->role == Role::group && frame->tag == E::form);
  if (nowhere && tag.kind == TagKind::cell) {
    warn(RepairKind::misplaced_token, begin.offset, tag.name);
    frame = push(Role::table, E::otsl, begin);
    if (frame == nullptr) return;
    frame->implied = true;
  }
  if (frame == nullptr || (frame->role != Role::table && frame->role != Role::picture)) {
    warn(RepairKind::misplaced_token, begin.offset, tag.name);
    if (frame != nullptr && (frame->role == Role::words || frame->role == Role::key_value)) {
      frame->words += tag.kind == TagKind::row_end ? '\n' : ' ';
    }
    return;
  }
  if (tag.kind == TagKind::row_end) return frame->table.end_row(begin);
  if (!count(cells_, limits::kDocumentCells, "kDocumentCells", begin.offset)) return;
  if (frame->table.empty() && !is_blank(frame->words) && frame->tag != E::document_index) {
    warn(RepairKind::stray_words, frame->offset, doc_name(frame->tag));
    frame->before.push_back({.kind = ElementKind::text, .text = clean_words(std::move(frame->words))});
    frame->words.clear();
  }
  frame->table.begin_cell(tag.name, begin);
}

void DocumentBuilder::key_or_value(const Tag& tag, const Mark& begin, const Mark& end) {
  drop_within();
  Frame* frame = host();
  const bool open = frame != nullptr && frame->role == Role::key_value;
  if (tag.kind == TagKind::link || tag.closing) {
    const bool same = open && tag.kind != TagKind::link;
    if (!open || (tag.kind == TagKind::link && tag.closing)) {
      warn(RepairKind::misplaced_token, begin.offset, tag.name);
    } else if (same) {
      close_frame(end, true);
    } else if (count(key_values_, limits::kDocumentKeyValues, "kDocumentKeyValues", begin.offset)) {
      frame->links.emplace_back(frame->element.level, tag.number);
    }
    return;
  }
  if (open) {
    close_frame(begin, false);
    frame = host();
  }
  if (frame == nullptr || frame->role != Role::key_values) {
    if (!make_room(E::key_value_region, tag.text, begin, true)) return;
    if (!trusted_) warn(RepairKind::misplaced_token, begin.offset, tag.name);
    frame = push(Role::key_values, E::key_value_region, begin);
    if (frame == nullptr) return;
    frame->implied = true;
  }
  if (!count(key_values_, limits::kDocumentKeyValues, "kDocumentKeyValues", begin.offset)) return;
  Frame* const pair = push(Role::key_value, E::none, begin);
  pair->element.level = tag.number;
  pair->element.selected = tag.kind == TagKind::key;
}

void DocumentBuilder::location(int value, const Mark& begin) {
  Frame* const frame = host();
  if (frame == nullptr) return warn(RepairKind::misplaced_token, begin.offset, "loc");
  const bool table = frame->role == Role::table || frame->role == Role::picture;
  if (table && frame->table.in_cell()) {
    frame->table.location(value);
  } else {
    frame->box.add(value);
  }
}

void DocumentBuilder::mark_item(std::string_view marker) {
  Frame* const frame = host();
  if (frame != nullptr && frame->tag == E::list_item)
    frame->element.marker = clean_words(std::string(marker));
}

void DocumentBuilder::named(const Tag& tag, const Mark& begin) {
  Frame* const frame = host();
  const bool picture = frame != nullptr && frame->role == Role::picture;
  if (tag.kind == TagKind::picture_class && picture && !tag.closing) {
    if (frame->element.picture_class.empty()) frame->element.picture_class = tag.name;
    return;
  }
  if (tag.name == "table") {
    const Tag table{.kind = TagKind::element,
                    .element = E::otsl,
                    .closing = tag.closing,
                    .name = tag.name,
                    .text = tag.text};
    const bool words = frame != nullptr && (frame->role == Role::words || frame->role == Role::raw);
    if (!words && !tag.closing) return open(E::otsl, tag.text, begin, false);
    if (!words) return close(table, begin, begin);
  }
  const bool code = frame != nullptr && frame->role == Role::raw && frame->tag == E::code;
  if (tag.kind == TagKind::language && code && is_blank(frame->words) && frame->element.language.empty()) {
    frame->element.language = tag.name.substr(1, tag.name.size() - 2);
    return;
  }
  not_known(tag, begin);
}

}  // namespace galago::documents
