// Normalization forms by hand: compositions that are allowed and not, the order of marks, long runs of them.
// Expected values are Unicode's own examples (UAX #15) and, for runs, the definition of the canonical order.
#include "text/unicode/normal_form.h"

#include <gtest/gtest.h>

namespace galago {
namespace {

std::string repeated(const std::string& text, size_t times) {
  std::string out;
  for (size_t i = 0; i < times; ++i) out += text;
  return out;
}

TEST(NormalForm, OfCharacters) {
  const struct {
    const char* text;
    const char* nfd;
    const char* nfc;
    const char* nfkd;
    const char* nfkc;
  } cases[] = {
      {"", "", "", "", ""},
      {"plain", "plain", "plain", "plain", "plain"},
      {"\u00E9", "e\u0301", "\u00E9", "e\u0301", "\u00E9"},
      {"e\u0301", "e\u0301", "\u00E9", "e\u0301", "\u00E9"},
      {"\u212B", "A\u030A", "\u00C5", "A\u030A", "\u00C5"},                        // the sign for angstrom
      {"\uFB01", "\uFB01", "\uFB01", "fi", "fi"},                                  // a ligature
      {"\u0958", "\u0915\u093C", "\u0915\u093C", "\u0915\u093C", "\u0915\u093C"},  // is never composed
      {"\u1E9B\u0323", "\u017F\u0323\u0307", "\u1E9B\u0323", "s\u0323\u0307", "\u1E69"},
      {"\uD55C", "\u1112\u1161\u11AB", "\uD55C", "\u1112\u1161\u11AB", "\uD55C"},
      {"\uAC00\u11A7\u11A8", "\u1100\u1161\u11A7\u11A8", "\uAC00\u11A7\u11A8", "\u1100\u1161\u11A7\u11A8",
       "\uAC00\u11A7\u11A8"},  // U+11A7 is no final consonant
      {"a\u0315\u0300\u05AE\u0300", "a\u05AE\u0300\u0300\u0315", "\u00E0\u05AE\u0300\u0315",
       "a\u05AE\u0300\u0300\u0315", "\u00E0\u05AE\u0300\u0315"},
      {"\u0316\u0300\u0315 \u0315\u0316", "\u0316\u0300\u0315 \u0316\u0315",
       "\u0316\u0300\u0315 \u0316\u0315", "\u0316\u0300\u0315 \u0316\u0315",
       "\u0316\u0300\u0315 \u0316\u0315"},
  };
  for (const auto& c : cases) {
    EXPECT_EQ(to_normal_form(c.text, {}), c.nfd) << c.text;
    EXPECT_EQ(to_normal_form(c.text, {.compose = true}), c.nfc) << c.text;
    EXPECT_EQ(to_normal_form(c.text, {.compatibility = true}), c.nfkd) << c.text;
    EXPECT_EQ(to_normal_form(c.text, {.compose = true, .compatibility = true}), c.nfkc) << c.text;
  }
}

// The longest that a prompt can hold: sorting by swaps of neighbours would take minutes.
TEST(NormalForm, OfAMillionBytesOfMarks) {
  constexpr size_t kPairs = 1 << 18;
  const std::string text = "a" + repeated("\u0315\u0316", kPairs) + "b";
  const std::string ordered = "a" + repeated("\u0316", kPairs) + repeated("\u0315", kPairs) + "b";
  for (const bool compose : {false, true}) EXPECT_EQ(to_normal_form(text, {.compose = compose}), ordered);
}

}  // namespace
}  // namespace galago
