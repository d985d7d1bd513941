// The tables behind unicode.h and normal_form.h: ranges of code points, written by tools/unicode_tables.py.
// Versions are the reference's (tokenizers 0.23): regular expressions know Unicode 16, numbers and lower case
// 17, normal forms and accents 9, the parts made for BERT 8.
#pragma once

#include <array>
#include <cstdint>
#include <span>

namespace galago::unicode::tables {

/// Code points first to last.
struct Range {
  uint32_t first;
  uint32_t last;
};

/// Every step-th code point from first to last becomes the one at `delta` from it.
struct CaseRange {
  uint32_t first;
  uint32_t last;
  uint32_t step;
  int32_t delta;
};

/// A code point that becomes up to three; 0 behind the last.
struct LongCase {
  uint32_t from;
  std::array<char32_t, 3> to;
};

/// Where a label changes: code point << 5 | label, of all code points. Labels are those of
/// unicode::Category, of Grapheme in graphemes.cc and of the names in tokenizer/regex_set.cc.
extern const std::span<const uint32_t> kCategories;
extern const std::span<const uint32_t> kBreaks;
extern const std::span<const uint32_t> kScripts;

// What belongs to a property beside the categories that belong to it as a whole.
extern const std::span<const Range> kOtherAlphabetic;
extern const std::span<const Range> kOtherLowercase;
extern const std::span<const Range> kOtherUppercase;
extern const std::span<const Range> kOtherCaseIgnorable;
extern const std::span<const Range> kOtherDigit;
extern const std::span<const Range> kOtherNumeric;
extern const std::span<const Range> kLaterNumber;  ///< numbers of Unicode 17

// Of older versions.
extern const std::span<const Range> kMarkOf9;         ///< M*
extern const std::span<const Range> kNonspacingOf8;   ///< Mn
extern const std::span<const Range> kOtherOf8;        ///< C* but tab and line breaks, and U+FFFD
extern const std::span<const Range> kPunctuationOf8;  ///< P*, and the other signs of ASCII
extern const std::span<const Range> kChinese;         ///< the blocks that BERT calls Chinese

extern const std::span<const CaseRange> kLower;
extern const std::span<const CaseRange> kUpper;
extern const std::span<const CaseRange>
    kTitle;  ///< where it differs from upper case, also where it moves nothing
extern const std::span<const CaseRange> kFold;  ///< simple case folding
extern const std::span<const LongCase> kLongUpper;
extern const std::span<const LongCase> kLongTitle;

/// Entries of 1 + length numbers: flags << 29 | length << 24 | code point, then what it becomes. Flags: 2 for
/// a compatibility decomposition, 1 for a canonical one that composes again. Sorted; Hangul is computed.
extern const std::span<const uint32_t> kDecompositions;
/// Where the combining class changes: code point << 8 | class; 0 before the first.
extern const std::span<const uint32_t> kCombiningClasses;

}  // namespace galago::unicode::tables
