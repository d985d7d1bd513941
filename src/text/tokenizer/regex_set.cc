// ASCII is a table, made when the set is finished; other characters are asked for their category first, which
// decides for most sets.
#include "text/tokenizer/regex_set.h"

#include <algorithm>
#include <iterator>
#include <string>

#include "text/unicode/letter_case.h"
#include "text/unicode/unicode.h"
#include "text/unicode/unicode_tables.h"

namespace galago::regex {
namespace {

using unicode::Category;
using unicode::category_bits;

/// Members of a range whose other case is looked for, at most.
constexpr char32_t kCaseRange = 4096;

struct NamedCategories {
  std::string_view name;
  uint32_t bits;
};

constexpr uint32_t one(Category c) { return category_bits(c, c); }

constexpr uint32_t kOthers = category_bits(Category::cc, Category::co) | one(Category::cn);

constexpr std::array kCategories = {
    NamedCategories{"l", unicode::kLetters},
    NamedCategories{"letter", unicode::kLetters},
    NamedCategories{"lc", category_bits(Category::lu, Category::lt)},
    NamedCategories{"casedletter", category_bits(Category::lu, Category::lt)},
    NamedCategories{"lu", one(Category::lu)},
    NamedCategories{"uppercaseletter", one(Category::lu)},
    NamedCategories{"ll", one(Category::ll)},
    NamedCategories{"lowercaseletter", one(Category::ll)},
    NamedCategories{"lt", one(Category::lt)},
    NamedCategories{"titlecaseletter", one(Category::lt)},
    NamedCategories{"lm", one(Category::lm)},
    NamedCategories{"modifierletter", one(Category::lm)},
    NamedCategories{"lo", one(Category::lo)},
    NamedCategories{"otherletter", one(Category::lo)},
    NamedCategories{"m", unicode::kMarks},
    NamedCategories{"mark", unicode::kMarks},
    NamedCategories{"combiningmark", unicode::kMarks},
    NamedCategories{"mn", one(Category::mn)},
    NamedCategories{"nonspacingmark", one(Category::mn)},
    NamedCategories{"mc", one(Category::mc)},
    NamedCategories{"spacingmark", one(Category::mc)},
    NamedCategories{"me", one(Category::me)},
    NamedCategories{"enclosingmark", one(Category::me)},
    NamedCategories{"n", unicode::kNumbers},
    NamedCategories{"number", unicode::kNumbers},
    NamedCategories{"nd", one(Category::nd)},
    NamedCategories{"decimalnumber", one(Category::nd)},
    NamedCategories{"digit", one(Category::nd)},
    NamedCategories{"nl", one(Category::nl)},
    NamedCategories{"letternumber", one(Category::nl)},
    NamedCategories{"no", one(Category::no)},
    NamedCategories{"othernumber", one(Category::no)},
    NamedCategories{"p", unicode::kPunctuation},
    NamedCategories{"punctuation", unicode::kPunctuation},
    NamedCategories{"punct", unicode::kPunctuation},
    NamedCategories{"pc", one(Category::pc)},
    NamedCategories{"connectorpunctuation", one(Category::pc)},
    NamedCategories{"pd", one(Category::pd)},
    NamedCategories{"dashpunctuation", one(Category::pd)},
    NamedCategories{"ps", one(Category::ps)},
    NamedCategories{"openpunctuation", one(Category::ps)},
    NamedCategories{"pe", one(Category::pe)},
    NamedCategories{"closepunctuation", one(Category::pe)},
    NamedCategories{"pi", one(Category::pi)},
    NamedCategories{"initialpunctuation", one(Category::pi)},
    NamedCategories{"pf", one(Category::pf)},
    NamedCategories{"finalpunctuation", one(Category::pf)},
    NamedCategories{"po", one(Category::po)},
    NamedCategories{"otherpunctuation", one(Category::po)},
    NamedCategories{"s", unicode::kSymbols},
    NamedCategories{"symbol", unicode::kSymbols},
    NamedCategories{"sm", one(Category::sm)},
    NamedCategories{"mathsymbol", one(Category::sm)},
    NamedCategories{"sc", one(Category::sc)},
    NamedCategories{"currencysymbol", one(Category::sc)},
    NamedCategories{"sk", one(Category::sk)},
    NamedCategories{"modifiersymbol", one(Category::sk)},
    NamedCategories{"so", one(Category::so)},
    NamedCategories{"othersymbol", one(Category::so)},
    NamedCategories{"z", unicode::kSeparators},
    NamedCategories{"separator", unicode::kSeparators},
    NamedCategories{"zs", one(Category::zs)},
    NamedCategories{"spaceseparator", one(Category::zs)},
    NamedCategories{"zl", one(Category::zl)},
    NamedCategories{"lineseparator", one(Category::zl)},
    NamedCategories{"zp", one(Category::zp)},
    NamedCategories{"paragraphseparator", one(Category::zp)},
    NamedCategories{"c", kOthers},
    NamedCategories{"other", kOthers},
    NamedCategories{"cc", one(Category::cc)},
    NamedCategories{"control", one(Category::cc)},
    NamedCategories{"cntrl", one(Category::cc)},
    NamedCategories{"cf", one(Category::cf)},
    NamedCategories{"format", one(Category::cf)},
    NamedCategories{"cs", one(Category::cs)},
    NamedCategories{"surrogate", one(Category::cs)},
    NamedCategories{"co", one(Category::co)},
    NamedCategories{"privateuse", one(Category::co)},
    NamedCategories{"cn", one(Category::cn)},
    NamedCategories{"unassigned", one(Category::cn)},
    NamedCategories{"any", category_bits(Category::cn, Category::co)},
    NamedCategories{"assigned", category_bits(Category::lu, Category::co)},
};

/// In the order of the table of scripts, from 1.
constexpr std::array<std::string_view, 11> kScripts = {"arabic",   "cyrillic", "devanagari", "greek",
                                                       "han",      "hangul",   "hebrew",     "hiragana",
                                                       "katakana", "latin",    "thai"};

uint32_t script_of(char32_t c) {
  const auto changes = unicode::tables::kScripts;
  const auto next = std::upper_bound(changes.begin(), changes.end(), c,
                                     [](char32_t value, uint32_t change) { return value < change >> 5; });
  return *std::prev(next) & 31U;
}

/// \w of Oniguruma: without the joiners, but (not within brackets) with the superscripts and fractions of
/// Latin-1.
bool is_word(char32_t c) {
  if (c == 0x200C || c == 0x200D) return false;
  return unicode::is_word(c) || c == 0xB2 || c == 0xB3 || c == 0xB9 || (c >= 0xBC && c <= 0xBE);
}

bool is_word_in_brackets(char32_t c) { return c != 0x200C && c != 0x200D && unicode::is_word(c); }

bool is_alphanumeric(char32_t c) { return unicode::is_alphabetic(c) || unicode::category(c) == Category::nd; }

Set::Property property_named(std::string_view name) {
  if (name == "alphabetic" || name == "alpha") return unicode::is_alphabetic;
  if (name == "lowercase" || name == "lower") return unicode::is_lowercase;
  if (name == "uppercase" || name == "upper") return unicode::is_uppercase;
  if (name == "whitespace" || name == "space") return unicode::is_space;
  if (name == "alnum") return is_alphanumeric;
  return nullptr;
}

}  // namespace

std::optional<Set> Set::named(std::string_view given, bool in_brackets) {
  std::string name;
  for (const char c : given)
    if (c != ' ' && c != '_' && c != '-') name += static_cast<char>(c >= 'A' && c <= 'Z' ? c + 32 : c);
  Set set;
  const auto same = [&](const auto& entry) { return entry.name == name; };
  if (name == "word") return word(in_brackets);
  if (const auto found = std::find_if(kCategories.begin(), kCategories.end(), same);
      found != kCategories.end()) {
    set.categories_ = found->bits;
  } else if (set.property_ = property_named(name); set.property_ != nullptr) {
    return set;
  } else if (name == "xdigit" || name == "asciihexdigit") {
    return hexadecimal();
  } else if (name == "blank") {
    set.categories_ = one(Category::zs);
    set.add('\t', '\t');
  } else if (const auto script = std::find(kScripts.begin(), kScripts.end(), name);
             script != kScripts.end()) {
    set.script_ = static_cast<uint32_t>(script - kScripts.begin()) + 1;
  } else {
    return std::nullopt;
  }
  return set;
}

Set Set::of(char32_t first, char32_t last) {
  Set set;
  set.add(first, last);
  return set;
}

Set Set::space() {
  Set set;
  set.categories_ = unicode::kSeparators;
  set.add('\t', '\r');
  set.add(0x85, 0x85);
  return set;
}

Set Set::word(bool in_brackets) {
  Set set;
  set.property_ = in_brackets ? is_word_in_brackets : is_word;
  return set;
}

Set Set::digit() {
  Set set;
  set.categories_ = one(Category::nd);
  return set;
}

Set Set::hexadecimal() {
  Set set = of('0', '9');
  set.add('a', 'f');
  set.add('A', 'F');
  return set;
}

Set Set::line_break() {
  Set set = of('\n', '\r');
  set.add(0x85, 0x85);
  set.add(0x2028, 0x2029);
  return set;
}

bool Set::ignore_case() {
  std::vector<std::pair<char32_t, char32_t>> more;
  for (const auto& [first, last] : ranges_) {
    if (last - first > kCaseRange) return false;
    for (char32_t c = first; c <= last; ++c)
      for (const char32_t variant : unicode::case_variants(c))
        if (variant < first || variant > last) more.emplace_back(variant, variant);
  }
  ranges_.insert(ranges_.end(), more.begin(), more.end());
  const auto ignore = [](Set& set) { return set.ignore_case(); };
  return std::all_of(parts_.begin(), parts_.end(), ignore) && std::all_of(also_.begin(), also_.end(), ignore);
}

size_t Set::parts() const {
  size_t count = 1;
  for (const Set& part : parts_) count += part.parts();
  for (const Set& other : also_) count += other.parts();
  return count;
}

/// Sorts the ranges and makes one of those that overlap, so that one search finds the range of a character.
void Set::join_ranges() {
  std::sort(ranges_.begin(), ranges_.end());
  size_t kept = 0;
  for (const auto& range : ranges_) {
    if (kept > 0 && range.first <= ranges_[kept - 1].second) {
      ranges_[kept - 1].second = std::max(ranges_[kept - 1].second, range.second);
    } else {
      ranges_[kept++] = range;
    }
  }
  ranges_.resize(kept);
}

bool Set::in_ranges(char32_t c) const {
  const auto next = std::upper_bound(ranges_.begin(), ranges_.end(), c,
                                     [](char32_t value, const auto& range) { return value < range.first; });
  return next != ranges_.begin() && c <= std::prev(next)->second;
}

void Set::finish() {
  for (Set& part : parts_) part.finish();
  for (Set& other : also_) other.finish();
  join_ranges();
  for (char32_t c = 0; c < 0x80; ++c) ascii_[c] = evaluate(c);
}

bool Set::evaluate(char32_t c) const {
  bool found = categories_ != 0 && unicode::in_categories(c, categories_);
  found = found || in_ranges(c) || (property_ != nullptr && property_(c)) ||
          (script_ != 0 && script_of(c) == script_);
  const auto holds = [c](const Set& set) { return set.has(c); };
  found = found || std::any_of(parts_.begin(), parts_.end(), holds);
  found = found && std::all_of(also_.begin(), also_.end(), holds);
  return found != negated_;
}

}  // namespace galago::regex
