// The two halves of the reference: its Python part makes the text plain, the sentencepiece library does the
// rest.
#include "text/tokenizer/plain_text.h"

#include "core/base64.h"
#include "core/limits.h"
#include "text/unicode/letter_case.h"
#include "text/unicode/unicode.h"

namespace galago {
namespace {

constexpr std::string_view kSpace = "\xE2\x96\x81";  // U+2581

bool is_punctuation(char c) {
  constexpr std::string_view kSigns = "!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~";
  return kSigns.find(c) != std::string_view::npos;
}

/// No ASCII punctuation, runs of spaces as one, none at the ends.
std::string plain(std::string_view text) {
  std::string out;
  bool space = false;
  for (size_t i = 0; i < text.size();) {
    const auto c = unicode::decode_at(text, i);
    const std::string_view character = text.substr(i, static_cast<size_t>(c.length));
    i += character.size();
    if (character.size() == 1 && is_punctuation(character[0])) continue;
    if (unicode::is_python_space(c.value)) {
      space = true;
      continue;
    }
    if (space && !out.empty()) out += ' ';
    space = false;
    out += character;
  }
  return out;
}

std::string spaces_for_marks(std::string_view text) {
  std::string out;
  for (size_t at = 0; at < text.size();) {
    const bool mark = text.substr(at).starts_with(kSpace);
    out += mark ? ' ' : text[at];
    at += mark ? kSpace.size() : 1;
  }
  return out;
}

bool flag(const JsonField& field, const std::string& key) { return field.at(key).boolean(); }

}  // namespace

PlainText PlainText::from_json(const JsonField& field) {
  PlainText made;
  made.unknown_ = field.at("unknown").string();
  if (const auto skip = field.find("skip"))
    made.skip_ = static_cast<size_t>(skip->integer(0, limits::kPromptBytes));
  made.lower_case_ = flag(field, "lower_case");
  made.add_dummy_prefix_ = flag(field, "add_dummy_prefix");
  made.remove_extra_whitespaces_ = flag(field, "remove_extra_whitespaces");
  made.escape_whitespaces_ = flag(field, "escape_whitespaces");
  if (const auto packed = field.find("precompiled_charsmap")) {
    const auto bytes = from_base64(packed->string());
    if (!bytes) packed->fail("base64");
    made.charsmap_ = Charsmap::parse(*bytes, packed->where());
  }
  return made;
}

std::string PlainText::operator()(std::string_view text, bool at_start) const {
  // The reference puts "▁" before the whole text and means spaces by those within.
  std::string whole = at_start ? std::string(kSpace) + spaces_for_marks(text) : std::string(text);
  if (lower_case_) whole = unicode::python_lower(whole);
  return normalized(unknown_ + plain(whole));
}

std::string PlainText::normalized(std::string_view text) const {
  const std::string mapped =
      charsmap_ ? charsmap_->replace_longest(MarkedText(text)).text() : std::string(text);
  const std::string_view space = escape_whitespaces_ ? kSpace : std::string_view(" ");
  std::string out;
  if (add_dummy_prefix_) out += space;
  bool after_space = remove_extra_whitespaces_;
  for (const char c : mapped) {
    if (c == ' ' && after_space) continue;
    if (c == ' ') {
      out += space;
    } else {
      out += c;
    }
    after_space = remove_extra_whitespaces_ && c == ' ';
  }
  std::string_view kept = out;
  while (remove_extra_whitespaces_ && kept.ends_with(space)) kept.remove_suffix(space.size());
  return std::string(kept);
}

}  // namespace galago
