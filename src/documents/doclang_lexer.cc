// See the header.
#include "documents/doclang_lexer.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <utility>

#include "core/utf8.h"
#include "documents/document_limits.h"

namespace galago::documents {
namespace {

constexpr std::string_view kCdata = "<![CDATA[";
constexpr std::string_view kComment = "<!--";

bool begins_name(char byte) {
  return (byte >= 'a' && byte <= 'z') || (byte >= 'A' && byte <= 'Z') || byte == '_';
}
bool is_in_name(char byte) {
  return begins_name(byte) || (byte >= '0' && byte <= '9') || byte == '-' || byte == ':';
}

/// What an entity between & and ; stands for; empty: it is none.
std::string entity(std::string_view name) {
  static constexpr std::array<std::pair<std::string_view, std::string_view>, 5> kNames = {
      {{"lt", "<"}, {"gt", ">"}, {"amp", "&"}, {"quot", "\""}, {"apos", "'"}}};
  for (const auto& [known, text] : kNames) {
    if (name == known) return std::string(text);
  }
  if (name.size() < 2 || name[0] != '#') return {};
  const bool hexadecimal = name[1] == 'x';
  const std::string_view digits = name.substr(hexadecimal ? 2 : 1);
  uint32_t value = 0;
  const auto [end, error] =
      std::from_chars(digits.data(), digits.data() + digits.size(), value, hexadecimal ? 16 : 10);
  const bool scalar = value > 0 && value < 0x110000 && (value < 0xD800 || value > 0xDFFF);
  if (error != std::errc() || end != digits.data() + digits.size() || !scalar) return {};
  std::string text;
  unicode::append(text, static_cast<char32_t>(value));
  return text;
}

/// Line breaks at both ends, with the white space around them, are how XML is laid out: one space.
void take_away_layout(std::string& text) {
  const size_t first = text.find_first_not_of(" \t\r\n");
  if (first == std::string::npos) {
    if (text.find('\n') != std::string::npos) text = " ";
    return;
  }
  const size_t behind = text.find_last_not_of(" \t\r\n") + 1;
  if (text.find('\n', behind) != std::string::npos) text.replace(behind, std::string::npos, " ");
  if (text.find('\n') < first) text.replace(0, first, " ");
}

}  // namespace

void DocLangLexer::add(std::string& where, std::string_view bytes, const Mark& begin) {
  if (words_.empty() && raw_.empty()) words_begin_ = begin;
  where += bytes;
}

void DocLangLexer::part_words() {
  if (!words_.empty() && words_.back() != ' ' && words_.back() != '\n') words_ += ' ';
}

// Words and CDATA are texts of their own, as for docling-core: white space is between them.
void DocLangLexer::decode() {
  if (raw_.empty()) return;
  if (std::exchange(section_ended_, false)) part_words();
  if (!content_) take_away_layout(raw_);
  static constexpr size_t kLongestEntity = 10;
  for (size_t at = 0; at < raw_.size();) {
    const size_t ampersand = std::min(raw_.find('&', at), raw_.size());
    words_.append(raw_, at, ampersand - at);
    at = ampersand;
    if (at == raw_.size()) break;
    const std::string_view ahead = std::string_view(raw_).substr(at + 1, kLongestEntity);
    const size_t end = ahead.find(';');
    const std::string text = end == std::string_view::npos ? std::string() : entity(ahead.substr(0, end));
    words_ += text.empty() ? "&" : text;
    at += text.empty() ? 1 : end + 2;
  }
  raw_.clear();
}

void DocLangLexer::give_words(DocTagsEvents& events) {
  decode();
  if (words_.empty()) return;
  reader_.words(words_, words_begin_, events);
  words_.clear();
  section_ended_ = false;
}

void DocLangLexer::end_markup(DocTagsEvents& events, const Mark& end) {
  state_ = State::words;
  const std::string markup = std::exchange(markup_, {});
  if (markup[1] == '!' || markup[1] == '?') return;  // a declaration
  std::string_view inside = std::string_view(markup).substr(1, markup.size() - 2);
  const bool closing = inside.starts_with('/');
  if (closing) inside.remove_prefix(1);
  const bool empty = inside.ends_with('/');
  if (empty) inside.remove_suffix(1);
  const auto name_end = std::find_if_not(inside.begin(), inside.end(), is_in_name);
  const std::string_view name = inside.substr(0, static_cast<size_t>(name_end - inside.begin()));
  if (!is_doclang_name(name)) return add(raw_, markup, markup_begin_);
  give_words(events);
  if (name == "content") content_ = !closing && !empty;
  if (closing) {
    reader_.close(name, markup_begin_, end, events);
  } else {
    reader_.open(name, inside.substr(name.size()), empty, markup_begin_, end, events);
  }
}

void DocLangLexer::in_markup(char byte, DocTagsEvents& events, const Mark& end) {
  markup_ += byte;
  if (markup_ == kCdata) {
    decode();
    part_words();
    markup_.clear();
    state_ = State::cdata;
    if (words_.empty()) words_begin_ = markup_begin_;
  } else if (markup_ == kComment) {
    markup_.clear();
    state_ = State::comment;
  } else if (byte == '>' && quote_ == 0) {
    end_markup(events, end);
  } else if (quote_ != 0) {
    if (byte == quote_) quote_ = 0;
  } else if (byte == '"' || byte == '\'') {
    quote_ = byte;
  }
}

void DocLangLexer::in_section(char byte, std::string_view closing) {
  section_ += byte;
  if (section_ == closing) {
    section_.clear();
    section_ended_ = state_ == State::cdata;
    state_ = State::words;
    return;
  }
  while (!closing.starts_with(section_)) {
    if (state_ == State::cdata) words_ += section_.front();
    section_.erase(0, 1);
  }
}

void DocLangLexer::push(std::string_view piece, const TokenSum& sum, DocTagsEvents& events) {
  for (size_t at = 0; at < piece.size();) {
    const char byte = piece[at];
    if (state_ == State::cdata || state_ == State::comment) {
      in_section(byte, state_ == State::cdata ? "]]>" : "-->");
      ++at;
    } else if (state_ == State::words) {
      const size_t open = std::min(piece.find('<', at), piece.size());
      if (open > at) add(raw_, piece.substr(at, open - at), place_.mark(at, sum));
      at = open;
      if (at == piece.size()) break;
      markup_begin_ = place_.mark(at++, sum);
      markup_ = "<";
      quote_ = 0;
      state_ = State::markup;
    } else {
      const bool begins = begins_name(byte) || byte == '/' || byte == '!' || byte == '?';
      const bool goes_on =
          markup_.size() == 1 ? begins : (byte != '<' && markup_.size() < limits::kDocLangTagBytes);
      if (goes_on) {
        in_markup(byte, events, place_.mark(++at, sum));
      } else {  // no tag; the byte is looked at again
        state_ = State::words;
        add(raw_, std::exchange(markup_, {}), markup_begin_);
      }
    }
  }
  place_.advance(piece.size(), sum);
}

void DocLangLexer::finish(DocTagsEvents& events) {
  const bool cut = state_ == State::markup && markup_.size() > 1;
  if (state_ == State::markup && !cut) add(raw_, markup_, markup_begin_);
  if (state_ == State::cdata) words_ += section_;
  give_words(events);
  if (cut) events.cut(markup_, markup_begin_);
  reader_.finish(here(), events);
}

}  // namespace galago::documents
