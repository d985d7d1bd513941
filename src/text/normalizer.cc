// Each step keeps the marks of the runs it rewrites: what came out of a user's text stays the user's.
#include "text/normalizer.h"

#include <utf8proc.h>

#include <memory>
#include <optional>
#include <utility>

#include "core/printable.h"
#include "galago/error.h"
#include "text/byte_alphabet.h"
#include "text/charsmap.h"
#include "text/normal_form.h"
#include "text/pattern.h"
#include "text/unicode.h"

namespace galago {
namespace {

constexpr int kSequenceDepth = 8;

/// Run by run where that equals the whole; where characters combine across a border, the whole counts as the
/// user's, so that nothing a user typed can become a control token.
MarkedText normalized(const MarkedText& text, NormalForm form) {
  const std::string whole = to_normal_form(text.text(), form);
  MarkedText by_run = text.map_runs([form](std::string_view run) { return to_normal_form(run, form); });
  if (by_run.text() == whole) return by_run;
  return MarkedText(whole, text.any_user());
}

std::string lower_case(std::string_view text) {
  std::string out;
  for (size_t i = 0; i < text.size();) {
    const auto c = unicode::decode_at(text, i);
    // The one character whose lower case is two code points.
    if (c.value == 0x130) {
      out += "i\xCC\x87";
    } else {
      unicode::append(out, static_cast<char32_t>(utf8proc_tolower(static_cast<utf8proc_int32_t>(c.value))));
    }
    i += static_cast<size_t>(c.length);
  }
  return out;
}

std::string without_marks(std::string_view text) {
  std::string out;
  for (size_t i = 0; i < text.size();) {
    const auto c = unicode::decode_at(text, i);
    if (!unicode::is_mark(c.value)) out.append(text.substr(i, static_cast<size_t>(c.length)));
    i += static_cast<size_t>(c.length);
  }
  return out;
}

MarkedText replaced(const MarkedText& text, const Pattern& pattern, const std::string& content) {
  MarkedText out;
  size_t at = 0;
  for (const Span& span : pattern.find_all(text.text())) {
    out.append(text, at, span.begin);
    out.append(content, text.any_user(span.begin, span.end));
    at = span.end;
  }
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
  normalizer.add(field, 0);
  return normalizer;
}

void Normalizer::add(const JsonField& field, int depth) {
  const std::string& type = field.at("type").string();
  if (type == "Sequence") {
    const JsonField list = field.at("normalizers");
    if (depth >= kSequenceDepth) list.fail("at most " + std::to_string(kSequenceDepth) + " nested sequences");
    for (size_t i = 0; i < list.size(); ++i) add(list.at(i), depth + 1);
  } else if (const auto form = form_named(type)) {
    steps_.push_back([form = *form](const MarkedText& text) { return normalized(text, form); });
  } else if (type == "Lowercase") {
    steps_.push_back([](MarkedText text) { return text.map_runs(lower_case); });
  } else if (type == "StripAccents") {
    steps_.push_back([](MarkedText text) { return text.map_runs(without_marks); });
  } else if (type == "ByteLevel") {
    steps_.push_back([](MarkedText text) { return text.map_runs(to_byte_alphabet); });
  } else if (type == "Prepend") {
    steps_.push_back([prefix = field.at("prepend").string()](MarkedText text) {
      if (text.empty()) return text;
      MarkedText out(prefix);
      out.append(text);
      return out;
    });
  } else if (type == "Replace") {
    steps_.push_back([pattern = Pattern::from_json(field.at("pattern")),
                      content = field.at("content").string()](MarkedText text) {
      return replaced(text, pattern, content);
    });
  } else if (type == "Precompiled") {
    const JsonField packed = field.at("precompiled_charsmap");
    const auto bytes = from_base64(packed.string());
    if (!bytes) packed.fail("base64");
    steps_.push_back([map = std::make_shared<const Charsmap>(Charsmap::parse(*bytes, packed.where()))](
                         const MarkedText& text) { return map->replace_graphemes(text); });
  } else if (type == "Strip") {
    const bool left = field.at("strip_left").boolean();
    const bool right = field.at("strip_right").boolean();
    steps_.push_back([left, right](MarkedText text) { return stripped(text, left, right); });
  } else {
    throw Error(
        ErrorCode::model_unsupported,
        {.where = field.where() + ".type",
         .got = in_quotes(type),
         .expected = "NFC, NFD, NFKC, NFKD, Lowercase, Precompiled, Prepend, Replace, Strip, StripAccents, "
                     "ByteLevel or Sequence"});
  }
}

MarkedText Normalizer::operator()(MarkedText text) const {
  for (const Step& step : steps_) {
    text = step(std::move(text));
    if (std::cmp_greater(text.size(), 4 * limits::kPromptBytes))
      throw Error(ErrorCode::input_too_large,
                  {.where = "normalizer",
                   .got = "text that grew to " + std::to_string(text.size()) + " bytes",
                   .expected = "at most " + std::to_string(4 * limits::kPromptBytes)});
  }
  return text;
}

}  // namespace galago
