// The two halves of the reference: its Python part makes the text plain, the sentencepiece library does the
// rest.
#include "text/plain_text.h"

#include <utf8proc.h>

#include "core/limits.h"
#include "text/unicode.h"

namespace galago {
namespace {

constexpr std::string_view kSpace = "\xE2\x96\x81";  // U+2581
constexpr char32_t kSigma = 0x3A3;
constexpr char32_t kFinalSigma = 0x3C2;

utf8proc_category_t category(char32_t c) { return utf8proc_category(static_cast<utf8proc_int32_t>(c)); }

bool is_cased(char32_t c) {
  const utf8proc_category_t kind = category(c);
  return kind == UTF8PROC_CATEGORY_LU || kind == UTF8PROC_CATEGORY_LL || kind == UTF8PROC_CATEGORY_LT;
}

/// Characters that do not count when the borders of a word are looked for.
bool is_case_ignorable(char32_t c) {
  switch (category(c)) {
    case UTF8PROC_CATEGORY_MN:
    case UTF8PROC_CATEGORY_ME:
    case UTF8PROC_CATEGORY_CF:
    case UTF8PROC_CATEGORY_LM:
    case UTF8PROC_CATEGORY_SK:
      return true;
    default:
      return c == '\'' || c == '.' || c == ':' || c == 0xB7 || c == 0x2018 || c == 0x2019 || c == 0x2024 ||
             c == 0x2027;
  }
}

/// Whether a sigma that begins at `at` is the last letter of a word.
bool ends_word(std::string_view text, size_t at, bool letter_before) {
  if (!letter_before) return false;
  for (size_t i = at + 2; i < text.size();) {
    const auto c = unicode::decode_at(text, i);
    if (!is_case_ignorable(c.value)) return !is_cased(c.value);
    i += static_cast<size_t>(c.length);
  }
  return true;
}

/// As Python's str.lower: a capital sigma at the end of a word becomes "ς".
std::string lower_case(std::string_view text) {
  std::string out;
  bool letter_before = false;  // the last character that counts was a letter with two cases
  for (size_t i = 0; i < text.size();) {
    const auto c = unicode::decode_at(text, i);
    if (c.value == 0x130) {
      out += "i\xCC\x87";  // the one character whose lower case is two code points
    } else if (c.value == kSigma && ends_word(text, i, letter_before)) {
      unicode::append(out, kFinalSigma);
    } else {
      unicode::append(out, static_cast<char32_t>(utf8proc_tolower(static_cast<utf8proc_int32_t>(c.value))));
    }
    if (!is_case_ignorable(c.value)) letter_before = is_cased(c.value);
    i += static_cast<size_t>(c.length);
  }
  return out;
}

bool is_punctuation(char c) {
  constexpr std::string_view kSigns = "!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~";
  return kSigns.find(c) != std::string_view::npos;
}

/// What Python's str.isspace calls a space: the separators of ASCII too.
bool is_python_space(char32_t c) { return unicode::is_space(c) || (c >= 0x1C && c <= 0x1F); }

/// No ASCII punctuation, runs of spaces as one, none at the ends.
std::string plain(std::string_view text) {
  std::string out;
  bool space = false;
  for (size_t i = 0; i < text.size();) {
    const auto c = unicode::decode_at(text, i);
    const std::string_view character = text.substr(i, static_cast<size_t>(c.length));
    i += character.size();
    if (character.size() == 1 && is_punctuation(character[0])) continue;
    if (is_python_space(c.value)) {
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
  if (lower_case_) whole = lower_case(whole);
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
