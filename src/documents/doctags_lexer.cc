// See the header. Each byte is looked at once: a < that begins no tag is given out as words with what was
// read behind it, which has no other <.
#include "documents/doctags_lexer.h"

#include <algorithm>
#include <array>
#include <utility>

#include "documents/document_limits.h"

namespace galago::documents {
namespace {

constexpr std::array<std::string_view, 8> kCells = {"fcel", "ecel", "lcel", "ucel",
                                                    "xcel", "ched", "rhed", "srow"};

bool is_digit(char byte) { return byte >= '0' && byte <= '9'; }

/// What tags are written with: names, languages (<_C++_>, <_C#_>) and the marks of chats (<|end_of_text|>).
bool belongs_to_tag(char byte) {
  return (byte >= 'a' && byte <= 'z') || (byte >= 'A' && byte <= 'Z') || is_digit(byte) || byte == '_' ||
         byte == '/' || byte == '+' || byte == '#' || byte == '|' || byte == '-';
}

/// The number behind `prefix`, if `name` is nothing else; what is above 10^8 is 10^8.
bool read_number(std::string_view name, std::string_view prefix, int& number) {
  if (!name.starts_with(prefix) || name.size() == prefix.size()) return false;
  number = 0;
  for (const char byte : name.substr(prefix.size())) {
    if (!is_digit(byte)) return false;
    number = std::min(number * 10 + (byte - '0'), 100'000'000);
  }
  return true;
}

TagKind kind_of(std::string_view name, Tag& tag) {
  static constexpr std::array<std::pair<std::string_view, TagKind>, 4> kNumbered = {{
      {"loc_", TagKind::location},
      {"key_", TagKind::key},
      {"value_", TagKind::value},
      {"link_", TagKind::link},
  }};
  if (const auto element = doc_element(name)) {
    tag.element = *element;
    return TagKind::element;
  }
  for (const auto& [prefix, kind] : kNumbered) {
    if (read_number(name, prefix, tag.number)) return kind;
  }
  int level = 1;
  if (name == "section_header" || read_number(name, "section_header_level_", level)) {
    tag.element = level == 1 ? DocElement::section_header_level_1 : DocElement::section_header_level_6;
    return TagKind::element;
  }
  if (name == "page_break") return TagKind::page_break;
  if (name == "nl") return TagKind::row_end;
  if (std::find(kCells.begin(), kCells.end(), name) != kCells.end()) return TagKind::cell;
  if (is_picture_class(name)) return TagKind::picture_class;
  const bool language = name.size() > 2 && name.front() == '_' && name.back() == '_';
  return language ? TagKind::language : TagKind::unknown;
}

}  // namespace

Tag read_tag(std::string_view text) {
  Tag tag;
  tag.text = text;
  tag.name = text.substr(1, text.size() - 2);
  if (tag.name.starts_with('/')) {
    tag.closing = true;
    tag.name.remove_prefix(1);
  }
  const bool empty = tag.name.ends_with('/');  // as XML would have them: <loc_5/>, <fcel/>
  if (empty) tag.name.remove_suffix(1);
  tag.kind = kind_of(tag.name, tag);
  if (empty && tag.kind == TagKind::element) tag.kind = TagKind::unknown;
  return tag;
}

bool begins_tag(std::string_view text) {
  if (text.size() < 2) return false;
  std::string_view name = text.substr(1);
  if (name.starts_with('/')) name.remove_prefix(1);
  static constexpr std::array<std::string_view, 6> kOthers = {"loc_",  "key_",       "value_",
                                                              "link_", "page_break", "nl"};
  const auto begins = [&](std::string_view whole) { return whole.starts_with(name); };
  for (int i = 0; i < kDocElements; ++i) {
    if (begins(doc_name(static_cast<DocElement>(i)))) return true;
  }
  int number = 0;
  return std::any_of(kOthers.begin(), kOthers.end(), begins) ||
         std::any_of(kCells.begin(), kCells.end(), begins) ||
         std::any_of(kOthers.begin(), kOthers.begin() + 4,
                     [&](std::string_view prefix) { return read_number(name, prefix, number); });
}

void DocTagsLexer::add_words(std::string_view bytes, const Mark& begin) {
  if (words_.empty()) words_begin_ = begin;
  words_ += bytes;
}

void DocTagsLexer::give_words(DocTagsEvents& events) {
  if (words_.empty()) return;
  events.words(words_, words_begin_);
  words_.clear();
}

void DocTagsLexer::push(std::string_view piece, const TokenSum& sum, DocTagsEvents& events) {
  size_t at = 0;
  while (at < piece.size()) {
    if (pending_.empty()) {
      const size_t open = std::min(piece.find('<', at), piece.size());
      if (open > at) add_words(piece.substr(at, open - at), place_.mark(at, sum));
      at = open;
      if (at == piece.size()) break;
      pending_begin_ = place_.mark(at, sum);
      pending_ = piece[at++];
      continue;
    }
    const char byte = piece[at];
    if (byte == '>' && pending_.size() > 1) {
      give_words(events);
      ++at;
      pending_ += byte;
      events.tag(read_tag(pending_), pending_begin_, place_.mark(at, sum));
      pending_.clear();
    } else if (belongs_to_tag(byte) && pending_.size() < limits::kDocTagBytes) {
      ++at;
      pending_ += byte;
    } else {  // no tag; the byte is looked at as one of words, or the first of another tag
      add_words(pending_, pending_begin_);
      pending_.clear();
    }
  }
  place_.advance(piece.size(), sum);
}

void DocTagsLexer::finish(DocTagsEvents& events) {
  const bool cut = begins_tag(pending_);
  if (!cut && !pending_.empty()) add_words(pending_, pending_begin_);
  give_words(events);
  if (cut) events.cut(pending_, pending_begin_);
  pending_.clear();
}

}  // namespace galago::documents
