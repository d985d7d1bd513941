// The rules GB3 to GB11 of the annex. In: see graphemes.h. Marks that came with Unicode 17 extend too, as in
// the reference's tables.
#include "text/unicode/graphemes.h"

#include <algorithm>

#include "text/unicode/unicode.h"
#include "text/unicode/unicode_tables.h"

namespace galago::unicode {
namespace {

/// Grapheme_Cluster_Break; the order is that of the table.
enum class Grapheme { other, control, extend, joiner, prepend, l, v, t, lv, lvt, pictograph };

Grapheme class_of(char32_t c) {
  const auto changes = tables::kBreaks;
  const auto next = std::upper_bound(changes.begin(), changes.end(), c,
                                     [](char32_t value, uint32_t change) { return value < change >> 5; });
  return static_cast<Grapheme>(*std::prev(next) & 31U);
}

bool hangul_joins(Grapheme before, Grapheme behind) {
  using enum Grapheme;
  if (before == l) return behind == l || behind == v || behind == lv || behind == lvt;
  if (before == lv || before == v) return behind == v || behind == t;
  return (before == lvt || before == t) && behind == t;
}

}  // namespace

size_t grapheme_end(std::string_view text, size_t at) {
  CodePoint c = decode_at(text, at);
  Grapheme before = class_of(c.value);
  bool pictograph = before == Grapheme::pictograph;  // and extending characters since
  for (size_t end = at + static_cast<size_t>(c.length);;) {
    const CodePoint next = decode_at(text, end);
    if (next.length == 0) return end;
    const Grapheme behind = class_of(next.value);
    const bool line_break = c.value == '\r' && next.value == '\n';
    if (!line_break && (before == Grapheme::control || behind == Grapheme::control)) return end;
    const bool emoji = pictograph && before == Grapheme::joiner && behind == Grapheme::pictograph;
    const bool joins = line_break || behind == Grapheme::extend || behind == Grapheme::joiner ||
                       before == Grapheme::prepend || hangul_joins(before, behind) || emoji;
    if (!joins) return end;
    if (behind != Grapheme::extend && behind != Grapheme::joiner) pictograph = behind == Grapheme::pictograph;
    end += static_cast<size_t>(next.length);
    c = next;
    before = behind;
  }
}

}  // namespace galago::unicode
