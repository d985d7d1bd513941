// Walks over texts that are no UTF-8: every one ends, forwards and backwards.
#include "core/utf8.h"

#include <gtest/gtest.h>

#include <random>
#include <string>
#include <vector>

namespace galago {
namespace {

/// Malformed in every way: bytes that begin nothing, cut, overlong, surrogates, beyond Unicode.
const std::string kMalformed[] = {"\x80",
                                  "\xff",
                                  "a\xe2\x96",
                                  "\xe2\x96\x62",
                                  "\xc0\xaf",
                                  "\xed\xa0\x80",
                                  "\xf4\x90\x80\x80",
                                  "\x80\x80\x80\x80\x80",
                                  "\xf0\x9f\x98",
                                  "\xe2\x96\x81\x81",
                                  std::string("\xc3", 1)};

TEST(Utf8, AWalkForwardsEndsOnAnyBytes) {
  for (const std::string& text : kMalformed) {
    EXPECT_NE(unicode::find_malformed(text), std::string::npos);
    size_t replaced = 0;
    for (size_t i = 0; i < text.size();) {
      const auto c = unicode::decode_at(text, i);
      ASSERT_GT(c.length, 0);
      replaced += c.value == 0xFFFD;
      i += static_cast<size_t>(c.length);
      ASSERT_LE(i, text.size());
    }
    EXPECT_GT(replaced, 0U);
    EXPECT_EQ(unicode::decode_at(text, text.size()).length, 0);
  }
}

TEST(Utf8, AWalkBackwardsEndsOnAnyBytes) {
  for (const std::string& text : kMalformed) {
    for (size_t end = text.size(); end > 0;) {
      const auto c = unicode::decode_before(text, end);
      ASSERT_GT(c.length, 0);
      ASSERT_LE(static_cast<size_t>(c.length), end);
      end -= static_cast<size_t>(c.length);
    }
    EXPECT_EQ(unicode::decode_before(text, 0).length, 0);
  }
}

TEST(Utf8, BothWalksFindTheSameCharactersInSoundText) {
  std::mt19937 random(1);
  std::string text;
  std::vector<char32_t> forwards, backwards;
  for (int i = 0; i < 1000; ++i) {
    const char32_t value = random() % 0x110000;
    if (value < 0xD800 || value > 0xDFFF) unicode::append(text, value);
  }
  EXPECT_EQ(unicode::find_malformed(text), std::string::npos);
  for (size_t i = 0; i < text.size(); i += static_cast<size_t>(unicode::decode_at(text, i).length))
    forwards.push_back(unicode::decode_at(text, i).value);
  for (size_t i = text.size(); i > 0; i -= static_cast<size_t>(unicode::decode_before(text, i).length))
    backwards.insert(backwards.begin(), unicode::decode_before(text, i).value);
  EXPECT_EQ(forwards, backwards);
  EXPECT_EQ(forwards.size(), unicode::count(text));
}

}  // namespace
}  // namespace galago
