// A text is decomposed, its runs of marks are ordered, and for the C forms composed again; Hangul is
// computed. The tables of single code points are made once from unicode_decompositions.cc.
#include "text/unicode/normal_form.h"

#include <algorithm>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "text/growth.h"
#include "text/unicode/unicode.h"
#include "text/unicode/unicode_tables.h"

namespace galago {
namespace {

// Hangul: a syllable is a leading consonant, a vowel and perhaps a trailing consonant.
constexpr char32_t kSyllables = 0xAC00;
constexpr char32_t kLeading = 0x1100;
constexpr char32_t kVowels = 0x1161;
constexpr char32_t kTrailing = 0x11A7;  ///< stands for "none"
constexpr char32_t kLeadingCount = 19;
constexpr char32_t kVowelCount = 21;
constexpr char32_t kTrailingCount = 28;
constexpr char32_t kSyllableCount = kLeadingCount * kVowelCount * kTrailingCount;

/// Below the first code point that any form changes or orders.
constexpr char32_t kPlain = 0xA0;

/// A code point and its combining class.
struct Point {
  char32_t value = 0;
  uint8_t combining = 0;
};
using Points = std::vector<Point>;

class Tables {
 public:
  Tables() {
    const auto all = unicode::tables::kDecompositions;
    for (size_t at = 0; at < all.size();) {
      const Entry entry{.begin = at + 1, .length = all[at] >> 24 & 31U, .compatibility = all[at] >> 29 == 2};
      const char32_t c = all[at] & 0x1FFFFFU;
      entries_.emplace(c, entry);
      if (all[at] >> 29 == 1) add_composite(all[at + 1], all[at + 2], c);
      at += 1 + entry.length;
    }
  }

  static uint8_t combining_class(char32_t c) {
    if (c < 0x300) return 0;
    const auto changes = unicode::tables::kCombiningClasses;
    const auto next = std::upper_bound(changes.begin(), changes.end(), c,
                                       [](char32_t value, uint32_t change) { return value < change >> 8; });
    return next == changes.begin() ? 0 : static_cast<uint8_t>(*std::prev(next) & 255U);
  }

  /// Appends what a code point becomes; what it becomes may become something in turn.
  void decompose(char32_t c, bool compatibility, Points& out) const {
    if (c - kSyllables < kSyllableCount) return decompose_syllable(c - kSyllables, out);
    const auto found = c < kPlain ? entries_.end() : entries_.find(c);
    if (found == entries_.end() || (found->second.compatibility && !compatibility)) {
      out.push_back({c, combining_class(c)});
      return;
    }
    const Entry& entry = found->second;
    for (size_t i = 0; i < entry.length; ++i)
      decompose(unicode::tables::kDecompositions[entry.begin + i], compatibility, out);
  }

  /// Whether nothing before this code point has to do with it.
  bool begins(const Point& p) const {
    const bool vowel = p.value - kVowels < kVowelCount;
    const bool trailing = p.value > kTrailing && p.value < kTrailing + kTrailingCount;
    return p.combining == 0 && !vowel && !trailing && !seconds_.contains(p.value);
  }

  /// What two code points compose to; 0 for nothing.
  char32_t composite(char32_t a, char32_t b) const {
    if (a - kLeading < kLeadingCount && b - kVowels < kVowelCount)
      return kSyllables + ((a - kLeading) * kVowelCount + b - kVowels) * kTrailingCount;
    const char32_t syllable = a - kSyllables;
    if (syllable < kSyllableCount && syllable % kTrailingCount == 0 && b > kTrailing &&
        b < kTrailing + kTrailingCount)
      return a + b - kTrailing;
    const auto found = composites_.find(pair_of(a, b));
    return found == composites_.end() ? 0 : found->second;
  }

 private:
  struct Entry {
    size_t begin = 0;  ///< in the list of numbers
    size_t length = 0;
    bool compatibility = false;
  };

  void add_composite(char32_t a, char32_t b, char32_t composite) {
    composites_.emplace(pair_of(a, b), composite);
    seconds_.insert(b);
  }

  static uint64_t pair_of(char32_t a, char32_t b) { return static_cast<uint64_t>(a) << 32 | b; }

  static void decompose_syllable(char32_t index, Points& out) {
    out.push_back({kLeading + index / (kVowelCount * kTrailingCount), 0});
    out.push_back({kVowels + index / kTrailingCount % kVowelCount, 0});
    if (index % kTrailingCount != 0) out.push_back({kTrailing + index % kTrailingCount, 0});
  }

  std::unordered_map<char32_t, Entry> entries_;
  std::unordered_map<uint64_t, char32_t> composites_;
  std::unordered_set<char32_t> seconds_;  ///< that compose with what is before them
};

const Tables& tables() {
  static const Tables made;
  return made;
}

/// The canonical ordering: each run of marks by combining class, equal classes as they came.
void order_marks(Points& text) {
  const auto is_mark = [](const Point& p) { return p.combining != 0; };
  for (auto at = text.begin(); at != text.end();) {
    const auto begin = std::find_if(at, text.end(), is_mark);
    const auto end = std::find_if_not(begin, text.end(), is_mark);
    std::stable_sort(begin, end, [](const Point& a, const Point& b) { return a.combining < b.combining; });
    at = end;
  }
}

/// Composes in place: a mark joins the last starter unless one of its class or a higher one stands between.
void compose(Points& text) {
  size_t kept = 0;
  size_t starter = text.size();  // none yet
  uint8_t between = 0;           // the class of the last one that was kept behind the starter
  for (const Point p : text) {
    const bool adjacent = starter + 1 == kept;
    const bool blocked = !adjacent && (between >= p.combining || p.combining == 0);
    if (starter < text.size() && !blocked) {
      if (const char32_t joined = tables().composite(text[starter].value, p.value)) {
        text[starter].value = joined;
        continue;
      }
    }
    if (p.combining == 0) starter = kept;
    between = p.combining;
    text[kept++] = p;
  }
  text.resize(kept);
}

}  // namespace

std::string to_normal_form(std::string_view text, NormalForm form, size_t most) {
  constexpr size_t kPart = 4096;  // what is decomposed is composed and written part by part
  Points points;
  std::string out;
  const auto write = [&](size_t count) {
    Points part(points.begin(), points.begin() + static_cast<std::ptrdiff_t>(count));
    points.erase(points.begin(), points.begin() + static_cast<std::ptrdiff_t>(count));
    order_marks(part);
    if (form.compose) compose(part);
    for (const Point& p : part) unicode::append(out, p.value);
    check_grown(out.size(), most, "normalizer");
  };
  for (size_t at = 0; at < text.size();) {
    const auto c = unicode::decode_at(text, at);
    const size_t before = points.size();
    tables().decompose(c.value, form.compatibility, points);
    if (before >= kPart && tables().begins(points[before])) write(before);
    at += static_cast<size_t>(c.length);
  }
  write(points.size());
  return out;
}

}  // namespace galago
