// Single mappings lie in ranges of equal distance, the few long ones in lists. Reference: Unicode 3.13,
// Final_Sigma.
#include "text/unicode/letter_case.h"

#include <algorithm>
#include <optional>
#include <span>

#include "text/unicode/unicode.h"
#include "text/unicode/unicode_tables.h"

namespace galago::unicode {
namespace {

std::optional<char32_t> find(std::span<const tables::CaseRange> ranges, char32_t c) {
  const auto next =
      std::upper_bound(ranges.begin(), ranges.end(), c,
                       [](char32_t value, const tables::CaseRange& r) { return value < r.first; });
  if (next == ranges.begin()) return std::nullopt;
  const tables::CaseRange& r = *std::prev(next);
  if (c > r.last || (c - r.first) % r.step != 0) return std::nullopt;
  return static_cast<char32_t>(static_cast<int32_t>(c) + r.delta);
}

char32_t mapped(std::span<const tables::CaseRange> ranges, char32_t c) { return find(ranges, c).value_or(c); }

bool append_long(std::string& out, std::span<const tables::LongCase> list, char32_t c) {
  const auto found =
      std::lower_bound(list.begin(), list.end(), c,
                       [](const tables::LongCase& entry, char32_t value) { return entry.from < value; });
  if (found == list.end() || found->from != c) return false;
  for (const char32_t part : found->to)
    if (part != 0) append(out, part);
  return true;
}

/// Characters that do not count when the borders of a word are looked for.
bool is_case_ignorable(char32_t c) {
  constexpr auto bit = [](Category k) { return 1U << static_cast<unsigned>(k); };
  constexpr uint32_t kWhole =
      bit(Category::mn) | bit(Category::me) | bit(Category::cf) | bit(Category::lm) | bit(Category::sk);
  if (in_categories(c, kWhole)) return true;
  return std::any_of(tables::kOtherCaseIgnorable.begin(), tables::kOtherCaseIgnorable.end(),
                     [c](const tables::Range& r) { return c >= r.first && c <= r.last; });
}

}  // namespace

void append_lower(std::string& out, char32_t c) {
  if (c < 0x80) {
    out += static_cast<char>(c >= 'A' && c <= 'Z' ? c + 32 : c);
  } else if (c == 0x130) {
    out += "i\xCC\x87";  // the one character whose lower case is two code points
  } else {
    append(out, mapped(tables::kLower, c));
  }
}

void append_upper(std::string& out, char32_t c) {
  if (!append_long(out, tables::kLongUpper, c)) append(out, mapped(tables::kUpper, c));
}

void append_title(std::string& out, char32_t c) {
  if (append_long(out, tables::kLongTitle, c)) return;
  append(out, find(tables::kTitle, c).value_or(mapped(tables::kUpper, c)));
}

std::u32string case_variants(char32_t c) {
  std::u32string found{c};
  const char32_t folded = mapped(tables::kFold, c);
  if (folded != c) found += folded;
  for (const tables::CaseRange& r : tables::kFold) {
    const auto from = static_cast<char32_t>(static_cast<int32_t>(folded) - r.delta);
    if (from >= r.first && from <= r.last && (from - r.first) % r.step == 0 && from != c) found += from;
  }
  return found;
}

bool is_cased(char32_t c) { return is_lowercase(c) || is_uppercase(c) || category(c) == Category::lt; }

bool is_final_sigma(std::string_view text, size_t at) {
  const auto first_that_counts = [](auto next) {
    CodePoint c = next();
    while (c.length > 0 && is_case_ignorable(c.value)) c = next();
    return c;
  };
  size_t begin = at;
  const CodePoint before = first_that_counts([&] {
    const CodePoint c = decode_before(text, begin);
    begin -= static_cast<size_t>(c.length);
    return c;
  });
  if (before.length == 0 || !is_cased(before.value)) return false;
  size_t end = at + 2;
  const CodePoint behind = first_that_counts([&] {
    const CodePoint c = decode_at(text, end);
    end += static_cast<size_t>(c.length);
    return c;
  });
  return behind.length == 0 || !is_cased(behind.value);
}

size_t append_lower_at(std::string& out, std::string_view text, size_t at) {
  const CodePoint c = decode_at(text, at);
  if (c.value == kSigma && is_final_sigma(text, at)) {
    append(out, 0x3C2);
  } else {
    append_lower(out, c.value);
  }
  return static_cast<size_t>(c.length);
}

std::string python_lower(std::string_view text) {
  std::string out;
  for (size_t at = 0; at < text.size();) at += append_lower_at(out, text, at);
  return out;
}

}  // namespace galago::unicode
