// Categories, which every character of a prompt is asked for, lie in a table of blocks; the rare properties
// are looked up in their ranges.
#include "text/unicode/unicode.h"

#include <algorithm>
#include <array>
#include <vector>

#include "galago/error.h"
#include "text/unicode/unicode_tables.h"

namespace galago::unicode {
namespace {

constexpr uint32_t bit(Category c) { return 1U << static_cast<unsigned>(c); }

/// Categories in blocks; blocks that are alike are there once.
class CategoryTable {
 public:
  CategoryTable() {
    size_t change = 0;
    std::array<Category, kBlock> block{};
    for (size_t b = 0; b < blocks_.size(); ++b) {
      for (size_t i = 0; i < kBlock; ++i) {
        const auto changes = tables::kCategories;
        while (change + 1 < changes.size() && changes[change + 1] >> 5 <= b * kBlock + i) ++change;
        block[i] = static_cast<Category>(changes[change] & 31U);
      }
      blocks_[b] = index_of(block);
    }
  }

  Category operator[](char32_t c) const { return values_[blocks_[c / kBlock] * kBlock + c % kBlock]; }

 private:
  static constexpr size_t kBlock = 128;

  uint16_t index_of(const std::array<Category, kBlock>& block) {
    for (size_t at = values_.size(); at >= kBlock; at -= kBlock)  // most are like one of the last
      if (std::equal(block.begin(), block.end(),
                     values_.end() - static_cast<std::ptrdiff_t>(values_.size() - at + kBlock)))
        return static_cast<uint16_t>(at / kBlock - 1);
    values_.insert(values_.end(), block.begin(), block.end());
    return static_cast<uint16_t>(values_.size() / kBlock - 1);
  }

  std::array<uint16_t, 0x110000 / kBlock> blocks_{};
  std::vector<Category> values_;
};

bool within(std::span<const tables::Range> ranges, char32_t c) {
  const auto next = std::upper_bound(ranges.begin(), ranges.end(), c,
                                     [](char32_t value, const tables::Range& r) { return value < r.first; });
  return next != ranges.begin() && c <= std::prev(next)->last;
}

}  // namespace

void require_well_formed(std::string_view text, const std::string& where) {
  const size_t offset = find_malformed(text);
  if (offset == std::string_view::npos) return;
  throw Error(ErrorCode::input_invalid,
              {.where = where,
               .got = "a byte that is not UTF-8 at offset " + std::to_string(offset),
               .expected = "UTF-8 text"});
}

Category category(char32_t c) {
  static const CategoryTable table;
  return c < 0x110000 ? table[c] : Category::cn;
}

bool is_letter(char32_t c) {
  if (c < 0x80) return (c | 0x20) >= 'a' && (c | 0x20) <= 'z';
  return in_categories(c, kLetters);
}

bool is_number(char32_t c) {
  if (c < 0x80) return c >= '0' && c <= '9';
  return in_categories(c, kNumbers);
}

bool is_space(char32_t c) {
  if (c < 0x80) return c == ' ' || (c >= '\t' && c <= '\r');
  return c == 0x85 || c == 0xA0 || c == 0x1680 || (c >= 0x2000 && c <= 0x200A) || c == 0x2028 ||
         c == 0x2029 || c == 0x202F || c == 0x205F || c == 0x3000;
}

bool is_alphabetic(char32_t c) {
  return in_categories(c, kLetters | bit(Category::nl)) || within(tables::kOtherAlphabetic, c);
}

bool is_lowercase(char32_t c) { return category(c) == Category::ll || within(tables::kOtherLowercase, c); }

bool is_uppercase(char32_t c) { return category(c) == Category::lu || within(tables::kOtherUppercase, c); }

bool is_word(char32_t c) {
  constexpr uint32_t kWord = kLetters | kMarks | bit(Category::nd) | bit(Category::nl) | bit(Category::pc);
  return in_categories(c, kWord) || c == 0x200C || c == 0x200D || within(tables::kOtherAlphabetic, c);
}

bool is_rust_numeric(char32_t c) { return is_number(c) || within(tables::kLaterNumber, c); }

bool is_accent(char32_t c) { return within(tables::kMarkOf9, c); }

bool is_python_space(char32_t c) { return is_space(c) || (c >= 0x1C && c <= 0x1F); }

bool is_python_digit(char32_t c) { return category(c) == Category::nd || within(tables::kOtherDigit, c); }

bool is_python_numeric(char32_t c) { return is_number(c) || within(tables::kOtherNumeric, c); }

bool is_python_printable(char32_t c) {
  if (c == ' ') return true;
  constexpr uint32_t kOthers = category_bits(Category::cc, Category::co) | bit(Category::cn);
  return !in_categories(c, kSeparators | kOthers);
}

bool is_bert_punctuation(char32_t c) { return within(tables::kPunctuationOf8, c); }

bool is_bert_accent(char32_t c) { return within(tables::kNonspacingOf8, c); }

bool is_bert_control(char32_t c) { return within(tables::kOtherOf8, c); }

bool is_bert_chinese(char32_t c) { return within(tables::kChinese, c); }

}  // namespace galago::unicode
