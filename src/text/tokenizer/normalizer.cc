// Each step keeps the marks of the runs it rewrites: what came out of a user's text stays the user's.
#include "text/tokenizer/normalizer.h"

#include <memory>
#include <optional>
#include <utility>

#include "core/base64.h"
#include "core/printable.h"
#include "galago/error.h"
#include "text/growth.h"
#include "text/tokenizer/byte_alphabet.h"
#include "text/tokenizer/charsmap.h"
#include "text/tokenizer/pattern.h"
#include "text/tokenizer/steps.h"
#include "text/unicode/letter_case.h"
#include "text/unicode/normal_form.h"
#include "text/unicode/unicode.h"

namespace galago {
namespace {

/// Run by run where that equals the whole; where characters combine across a border, the whole counts as the
/// user's, so that nothing a user typed can become a control token.
MarkedText normalized(const MarkedText& text, NormalForm form, size_t most) {
  const std::string whole = to_normal_form(text.text(), form, most);
  MarkedText by_run = text.map_runs([&](std::string_view run) { return to_normal_form(run, form, most); });
  if (by_run.text() == whole) return by_run;
  return MarkedText(whole, text.any_user());
}

/// A text whose characters are put by put(out, c), which writes a few bytes at most.
template <typename Put>
MarkedText each_character(const MarkedText& text, const Put& put) {
  return text.map_runs([&put](std::string_view run) {
    std::string out;
    for (size_t i = 0; i < run.size();) {
      const auto c = unicode::decode_at(run, i);
      put(out, c.value);
      i += static_cast<size_t>(c.length);
    }
    return out;
  });
}

void put_without_accent(std::string& out, char32_t c) {
  if (!unicode::is_accent(c)) unicode::append(out, c);
}

/// Control characters and marks of direction as the reference's NMT models want them.
void put_nmt(std::string& out, char32_t c) {
  const bool space = c == '\t' || c == '\n' || c == '\f' || c == '\r' || c == 0x1680 ||
                     (c >= 0x200B && c <= 0x200F) || c == 0x2028 || c == 0x2029 || c == 0x2581 ||
                     c == 0xFEFF || c == 0xFFFD;
  const bool dropped = (c >= 1 && c < 0x20) || c == 0x7F || c == 0x8F || c == 0x9F;
  if (space) {
    out += ' ';
  } else if (!dropped) {
    unicode::append(out, c);
  }
}

/// What BERT does to a text: no control characters, ideographs apart, no accents, lower case.
struct Bert {
  bool clean_text = false;
  bool handle_chinese_chars = false;
  bool strip_accents = false;
  bool lowercase = false;

  static Bert from_json(const JsonField& field);
  MarkedText operator()(MarkedText text, size_t most) const;
};

Bert Bert::from_json(const JsonField& field) {
  Bert bert;
  bert.clean_text = field.at("clean_text").boolean();
  bert.handle_chinese_chars = field.at("handle_chinese_chars").boolean();
  bert.lowercase = field.at("lowercase").boolean();
  const auto strip = field.find("strip_accents");
  bert.strip_accents = strip ? strip->boolean() : bert.lowercase;  // null: as lowercase
  return bert;
}

MarkedText Bert::operator()(MarkedText text, size_t most) const {
  if (clean_text)
    text = each_character(text, [](std::string& out, char32_t c) {
      if (!unicode::is_bert_control(c)) unicode::append(out, unicode::is_space(c) ? U' ' : c);
    });
  if (handle_chinese_chars)
    text = each_character(text, [](std::string& out, char32_t c) {
      const bool apart = unicode::is_bert_chinese(c);
      if (apart) out += ' ';
      unicode::append(out, c);
      if (apart) out += ' ';
    });
  if (strip_accents)
    text = each_character(normalized(text, {}, most), [](std::string& out, char32_t c) {
      if (!unicode::is_bert_accent(c)) unicode::append(out, c);
    });
  return lowercase ? each_character(text, unicode::append_lower) : text;
}

MarkedText prepended(const std::string& prefix, MarkedText text, size_t most) {
  if (text.empty()) return text;
  check_grown(prefix.size() + text.size(), most, "normalizer");
  MarkedText out(prefix);
  out.append(text);
  return out;
}

MarkedText replaced(const MarkedText& text, const Pattern& pattern, const std::string& content, size_t most) {
  MarkedText out;
  size_t at = 0;
  pattern.for_each(text.text(), [&](const Span& span) {
    check_grown(out.size() + (span.begin - at) + content.size(), most, "normalizer");
    out.append(text, at, span.begin);
    out.append(content, text.any_user(span.begin, span.end));
    at = span.end;
  });
  check_grown(out.size() + (text.size() - at), most, "normalizer");
  out.append(text, at, text.size());
  return out;
}

MarkedText stripped(const MarkedText& text, bool left, bool right) {
  size_t begin = 0;
  size_t end = text.size();
  while (left && begin < end) {
    const auto c = unicode::decode_at(text.text(), begin);
    if (!unicode::is_space(c.value)) break;
    begin += static_cast<size_t>(c.length);
  }
  while (right && end > begin) {
    const auto c = unicode::decode_before(text.text(), end);
    if (!unicode::is_space(c.value)) break;
    end -= static_cast<size_t>(c.length);
  }
  return text.slice(begin, end);
}

std::optional<NormalForm> form_named(const std::string& type) {
  if (type == "NFC") return NormalForm{.compose = true};
  if (type == "NFD") return NormalForm{};
  if (type == "NFKC") return NormalForm{.compose = true, .compatibility = true};
  if (type == "NFKD") return NormalForm{.compatibility = true};
  return std::nullopt;
}

}  // namespace

Normalizer Normalizer::from_json(const JsonField& field) {
  Normalizer normalizer;
  for (const JsonField& step : steps_of(field, "normalizers")) normalizer.add(step);
  return normalizer;
}

void Normalizer::add(const JsonField& field) {
  const std::string& type = field.at("type").string();
  if (const auto form = form_named(type)) {
    steps_.push_back(
        [form = *form](const MarkedText& text, size_t most) { return normalized(text, form, most); });
  } else if (type == "Lowercase") {
    steps_.push_back(
        [](const MarkedText& text, size_t) { return each_character(text, unicode::append_lower); });
  } else if (type == "StripAccents") {
    steps_.push_back([](const MarkedText& text, size_t) { return each_character(text, put_without_accent); });
  } else if (type == "Nmt") {
    steps_.push_back([](const MarkedText& text, size_t) { return each_character(text, put_nmt); });
  } else if (type == "BertNormalizer") {
    steps_.push_back(Bert::from_json(field));
  } else if (type == "ByteLevel") {
    steps_.push_back([](const MarkedText& text, size_t) { return text.map_runs(to_byte_alphabet); });
  } else if (type == "Prepend") {
    steps_.push_back([prefix = field.at("prepend").string()](MarkedText text, size_t most) {
      return prepended(prefix, std::move(text), most);
    });
  } else if (type == "Replace") {
    steps_.push_back(
        [pattern = Pattern::from_json(field.at("pattern")), content = field.at("content").string()](
            const MarkedText& text, size_t most) { return replaced(text, pattern, content, most); });
  } else if (type == "Precompiled") {
    const JsonField packed = field.at("precompiled_charsmap");
    const auto bytes = from_base64(packed.string());
    if (!bytes) packed.fail("base64");
    steps_.push_back([map = std::make_shared<const Charsmap>(Charsmap::parse(*bytes, packed.where()))](
                         const MarkedText& text, size_t) { return map->replace_graphemes(text); });
  } else if (type == "Strip") {
    const bool left = field.at("strip_left").boolean();
    const bool right = field.at("strip_right").boolean();
    steps_.push_back([left, right](const MarkedText& text, size_t) { return stripped(text, left, right); });
  } else {
    throw Error(
        ErrorCode::model_unsupported,
        {.where = field.where() + ".type",
         .got = in_quotes(type),
         .expected = "NFC, NFD, NFKC, NFKD, Lowercase, Precompiled, Prepend, Replace, Strip, StripAccents, "
                     "ByteLevel, BertNormalizer, Nmt or Sequence"});
  }
}

MarkedText Normalizer::operator()(MarkedText text, size_t most) const {
  for (const Step& step : steps_) {
    text = step(std::move(text), most);
    check_grown(text.size(), most, "normalizer");
  }
  return text;
}

}  // namespace galago
