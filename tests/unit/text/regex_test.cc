// Patterns that a hostile file may have: each loads or fails at once, and a search costs what its text
// allows.
#include "text/tokenizer/regex.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "galago/error.h"
#include "support/allocation.h"

namespace galago::regex {
namespace {

std::string repeated(const std::string& text, size_t times) {
  std::string out;
  for (size_t i = 0; i < times; ++i) out += text;
  return out;
}

std::vector<std::string> matches(const std::string& pattern, const std::string& text) {
  std::vector<std::string> out;
  Regex(pattern, "pattern").for_each(text, [&](size_t begin, size_t end) {
    out.push_back(text.substr(begin, end - begin));
  });
  return out;
}

void expect_refused(const std::string& pattern) {
  SCOPED_TRACE(pattern.substr(0, 60));
  const test::AllocationWatch watch;
  try {
    const Regex regex(pattern, "pattern");
    ADD_FAILURE() << "no error";
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::model_invalid) << error.what();
  }
  EXPECT_LT(watch.peak(), 64 << 20);
}

void expect_gives_up(const std::string& pattern, const std::string& text) {
  SCOPED_TRACE(pattern);
  const Regex regex(pattern, "pattern");
  EXPECT_THROW(regex.for_each(text, [](size_t, size_t) {}), Error);
}

TEST(RegexLoading, RepetitionsOfNothingEnd) {
  expect_refused("(?:){100000}{100000}{1000}");
  expect_refused("(?:(?:){100000}a?){100000}");
  expect_refused("(?:" + repeated("(?:)", 4000) + "){100000}");
  EXPECT_EQ(matches("(?:){1000}a", "ba"), (std::vector<std::string>{"a"}));
}

TEST(RegexLoading, ChainedRepetitionsAreFew) {
  expect_refused("(?:a)" + repeated("*+", 8000));
  expect_refused("a" + repeated("*", 16000));
  EXPECT_EQ(matches("(?:ab){1,2}{1,2}?*+c", "ababc"), (std::vector<std::string>{"ababc"}));
}

TEST(RegexLoading, NestedPossessiveRepetitionsAreNotCopied) {
  const test::AllocationWatch watch;
  const std::string body = repeated("[a-c]b", 2500);
  const Regex regex(repeated("(?:", 60) + body + repeated(")*+", 60), "pattern");
  EXPECT_LT(watch.peak(), 32 << 20);
}

TEST(RegexLoading, AlternativesInALookBehindAreMeasuredOnce) {
  const Regex regex("(?<=" + repeated("(?:", 60) + "a" + repeated("|b)", 60) + ")c", "pattern");
  EXPECT_EQ(matches("(?<=" + repeated("(?:", 60) + "a" + repeated("|b)", 60) + ")c", "acbcc"),
            (std::vector<std::string>{"c", "c"}));
}

TEST(RegexLoading, LongLookBehindsHaveNoLengthThatWraps) {
  EXPECT_THROW(Regex("(?<=" + repeated("a{20000}", 300'000) + ")b", "pattern"), Error);
}

TEST(RegexLoading, SetsOfManySetsAreRefused) {
  expect_refused("[" + repeated("\\p{L}", 3000) + "]");
  EXPECT_EQ(matches("[" + repeated("\\p{Lu}\\d", 30) + "]+", "xAB1y"), (std::vector<std::string>{"AB1"}));
}

// As Oniguruma reads them.
TEST(RegexLoading, RepetitionsOfPlacesAndOfCounts) {
  for (const char* place : {"^*a", "$?", "\\b?a", "(?:^)*a", "(?:^|b)*a", "(?=a)?a", "(?<=b)?a", "\\A*a"})
    expect_refused(place);
  for (const char* other : {"(^)*a", "(?:^$)*a", "(?i:^)*a", "(?>^)*a", "(?:)*a"})
    EXPECT_EQ(matches(other, "ab"), (std::vector<std::string>{"a"})) << other;
  using Texts = std::vector<std::string>;
  EXPECT_EQ(matches("a{2}?b", "b aab ab"), (Texts{"b", "aab", "b"}));
  EXPECT_EQ(matches("a{2}??b", "b aab ab"), (Texts{"b", "aab", "b"}));
  EXPECT_EQ(matches("a{2}?+b", "aaaab b ab"), (Texts{"aab", "b", "b"}));
  EXPECT_EQ(matches("a{2}?{2}b", "aaaab aab b"), (Texts{"aaaab", "aab", "b"}));
  EXPECT_EQ(matches("(?:ab){2}?c", "ababc c abc"), (Texts{"ababc", "c", "c"}));
  EXPECT_EQ(matches("a{1,2}?b", "aab b"), (Texts{"aab"}));
  EXPECT_EQ(matches("a{2,}??b", "aaab ab b"), (Texts{"aaab", "b", "b"}));
}

// One step may walk over a whole text, so steps alone bound nothing.
TEST(RegexSearch, CharactersThatAStepWalksOverAreCounted) {
  const std::string text(100'000, 'a');
  expect_gives_up("a*+b", text);
  expect_gives_up("a++b", text);
  expect_gives_up("(?=a*+b)c", text);
  expect_gives_up("(?<=c[^x]{9000})a", text);
  EXPECT_EQ(matches("a+", text).size(), 1U);
  EXPECT_EQ(matches("a{1,3}", text).size(), 33'334U);
  EXPECT_EQ(matches("a*+b", std::string(8000, 'a')).size(), 0U);
}

TEST(RegexSearch, ManyRangesAreSearchedNotWalked) {
  std::string set;
  for (char32_t c = 0x4E00; c < 0x4E00 + 2 * 2000; c += 2) {
    set += static_cast<char>(0xE0 | c >> 12);
    set += static_cast<char>(0x80 | (c >> 6 & 63));
    set += static_cast<char>(0x80 | (c & 63));
  }
  const std::string odd = repeated("\u4E01\u5801", 100'000);
  EXPECT_EQ(matches("[" + set + "]", odd + "\u4E02").size(), 1U);
  // Ranges that overlap are one.
  EXPECT_EQ(matches("[à-ÿà-âz-é]+", "xàÿéáz!"), (std::vector<std::string>{"àÿéáz"}));
}

TEST(RegexSets, AClassIsNoEndOfARange) {
  for (const char* refused : {"[a-\\d]", "[a-\\W]", "[a-\\p{L}]", "[--\\d]", "[a-\\d&&b]", "[a-[:digit:]z]",
                              "[ab-[:^alpha:]]", "[\\w-z]", "[^\\w-a]", "[a\\d-z]", "[\\w-\\n]", "[\\w--z]",
                              "[\\w--]", "[\\w-\\-]", "[\\w-[a]]", "[[:digit:]-a]", "[[:digit:]--a]"})
    expect_refused(refused);
  const auto joined = [](const char* pattern) {
    std::string all;
    for (const std::string& one : matches(pattern, "ab1-z,d")) all += one;
    return all;
  };
  EXPECT_EQ(joined("[\\w-]"), "ab1-zd");
  EXPECT_EQ(joined("[\\w-&&a]"), "a");
  EXPECT_EQ(joined("[[b]-z]"), "b-z");
  EXPECT_EQ(joined("[a-[b]]"), "ab-");
  EXPECT_EQ(joined("[a-[^:digit:]]"), "ab1-z,");
  EXPECT_EQ(joined("[a-c-e]"), "ab-");
  EXPECT_EQ(joined("[a-c-\\d]"), "ab1-");
}

// Oniguruma has the superscripts and fractions of Latin-1 among \w, but not within brackets.
TEST(RegexSets, WordsWithinBracketsAreFewer) {
  const std::string text = "a²_½7é‿";
  for (const char* wide : {"\\w", "\\p{word}", "(?i)\\w"}) EXPECT_EQ(matches(wide, text).size(), 7U) << wide;
  for (const char* narrow : {"[\\w]", "[^\\W]", "[[:word:]]", "[\\p{word}]", "[\\wb]", "[\\w&&[^\\s]]"})
    EXPECT_EQ(matches(narrow, text).size(), 5U) << narrow;
  EXPECT_EQ(matches("[^\\W\\d]", text), (std::vector<std::string>{"a", "_", "é", "‿"}));
  EXPECT_EQ(matches("\\W", text).size(), 0U);
  EXPECT_EQ(matches("[\\W]", text), (std::vector<std::string>{"²", "½"}));
}

}  // namespace
}  // namespace galago::regex
