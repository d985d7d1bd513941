// The parts of Unigram tokenizers by hand: the best cut, what an unknown character costs, the two ways of
// using a character map, plain text. Expected values were taken once from `tokenizers` 0.23.3, sentencepiece
// 0.2.3 and Python's str.lower.
#include "text/tokenizer/unigram.h"

#include <gtest/gtest.h>

#include "core/base64.h"
#include "text/tokenizer/charsmap.h"
#include "text/tokenizer/plain_text.h"

namespace galago {
namespace {

using Ids = std::vector<int32_t>;

Ids encode(const std::string& model, const std::string& text) {
  const Json document = parse_json(model, "model");
  Ids ids;
  Unigram::from_json(JsonField(document, "model")).encode(text, ids);
  return ids;
}

TEST(Unigram, TakesTheBestSum) {
  const std::string pieces =
      R"("vocab": [["<unk>", 0], ["ab", -2], ["abc", -2.5], ["de", -2.6], ["cde", -2.2]])";
  EXPECT_EQ(encode("{\"unk_id\": 0, " + pieces + "}", "abcde"), (Ids{1, 4}));
}

TEST(Unigram, OfEqualSumsTakesThePieceThatBeganFirst) {
  const std::string pieces = R"("vocab": [["<unk>", 0], ["a", -1], ["aa", -2]])";
  EXPECT_EQ(encode("{\"unk_id\": 0, " + pieces + "}", "aaa"), (Ids{1, 2}));
}

TEST(Unigram, AnUnknownCharacterCostsTenMoreThanTheLeastScore) {
  const auto cut = [](const std::string& score) {
    return encode(R"({"unk_id": 0, "vocab": [["<unk>", 50], ["a", )" + score + R"(], ["ab", 5]]})", "ab");
  };
  EXPECT_EQ(cut("9.9"), (Ids{2}));  // 9.9 + (5 - 10) < 5
  EXPECT_EQ(cut("10.1"), (Ids{1, 0}));
}

TEST(Unigram, RunsOfUnknownCharactersAreOneTokenOrTheirBytes) {
  EXPECT_EQ(encode(R"({"unk_id": 0, "vocab": [["<unk>", 0], ["a", -1]]})", "xyazx"), (Ids{0, 1, 0}));
  std::string bytes;
  for (unsigned byte = 0; byte < 256; ++byte) bytes += ", [\"" + byte_token(byte) + "\", -9]";
  const std::string model =
      R"({"unk_id": 0, "byte_fallback": true, "vocab": [["<unk>", 0], ["a", -1])" + bytes + "]}";
  EXPECT_EQ(encode(model, "xa\xC3\xA9"), (Ids{2 + 'x', 1, 2 + 0xC3, 2 + 0xA9}));
}

TEST(Unigram, SumsInSinglePrecisionWhereAsked) {
  // In double precision the second cut is better by 2^-30; in single precision both are equal and the first
  // one found stays.
  const std::string pieces =
      R"("unk_id": 0, "vocab": [["<unk>", 0], ["a", -1], ["ab", -3], ["b", -1.9999999990686774]])";
  EXPECT_EQ(encode("{" + pieces + "}", "ab"), (Ids{1, 3}));
  EXPECT_EQ(encode("{" + pieces + R"(, "single_precision": true})", "ab"), (Ids{2}));
}

/// A map of "a" to "xy" and "ac" to "z".
Charsmap two_rules() {
  std::string units;
  const auto unit = [](uint32_t index) -> uint32_t {
    switch (index) {
      case 0:
        return 1U << 10;  // the root: its children lie at 1 ^ byte
      case 1 ^ 'a':
        return 2U << 10 | 1U << 8 | 'a';  // behind "a": its children lie at 98 ^ byte
      case 98:
        return 0;  // the text of "a"
      case 98 ^ 'c':
        return 4U << 10 | 1U << 8 | 'c';
      case (98 ^ 'c') ^ 4:
        return 3;  // the text of "ac"
      default:
        return 0;
    }
  };
  for (uint32_t i = 0; i < 256; ++i)
    for (int shift = 0; shift < 32; shift += 8) units += static_cast<char>(unit(i) >> shift);
  return Charsmap::parse(std::string("\0\x04\0\0", 4) + units + std::string("xy\0z\0", 5), "map");
}

TEST(Charsmap, IsUsedInTwoWays) {
  const Charsmap map = two_rules();
  const struct {
    const char* text;
    const char* longest;    // sentencepiece
    const char* graphemes;  // tokenizers: the shortest known prefix of a grapheme stands for all of it
  } cases[] = {{"aca", "zxy", "xycxy"},
               {"a\xCC\x81"
                "c",
                "xy\xCC\x81"
                "c",
                "xyc"},
               {"ac\xCC\x81"
                "a",
                "z\xCC\x81xy", "xyc\xCC\x81xy"},
               {"caca", "czxy", "cxycxy"}};
  for (const auto& c : cases) {
    EXPECT_EQ(map.replace_longest(MarkedText(c.text)).text(), c.longest) << c.text;
    EXPECT_EQ(map.replace_graphemes(MarkedText(c.text)).text(), c.graphemes) << c.text;
  }
  EXPECT_TRUE(map.replace_longest(MarkedText("ac", true)).any_user());
}

TEST(Charsmap, Base64GoesThereAndBack) {
  for (const std::string& bytes :
       {std::string(), std::string("a"), std::string("ab"), std::string("abc\0\xFF", 5)})
    EXPECT_EQ(from_base64(to_base64(bytes)), bytes);
  EXPECT_EQ(to_base64("Man"), "TWFu");
  EXPECT_EQ(from_base64("TWE="), "Ma");
}

std::string plain(const std::string& text, const std::string& settings = "") {
  const Json document = parse_json(R"({"unknown": "", "lower_case": true, "add_dummy_prefix": false,
    "remove_extra_whitespaces": true, "escape_whitespaces": true)" +
                                       settings + "}",
                                   "rules");
  return PlainText::from_json(JsonField(document, "rules"))(text, false);
}

TEST(PlainText, IsLowerCaseWithoutPunctuationAndWithSingleSpaces) {
  const std::string space = "\xE2\x96\x81";
  EXPECT_EQ(plain("A photo of a  Cat! (50% off)"), "a" + space + "photo" + space + "of" + space + "a" +
                                                       space + "cat" + space + "50" + space + "off");
  EXPECT_EQ(plain("\t\x1C x_y \xC2\xA0\n"), "xy");
  EXPECT_EQ(plain("!?"), "");
}

TEST(PlainText, LowerCaseKnowsTheEndOfAWord) {
  const struct {
    const char* text;
    const char* lower;
  } cases[] = {
      {"ΟΔΥΣΣΕΥΣ", "οδυσσευς"},
      {"Σ", "σ"},
      {"ΣΑΣ", "σας"},
      {"ΑΣ\xCC\x81Β", "ασ\xCC\x81β"},
      {"ΑΣ\xCC\x81", "ας\xCC\x81"},
      {"ΑΣ-Σ", "αςσ"},
      {"A\u03A3\u0130", "aσi\u0307"},
  };
  for (const auto& c : cases) EXPECT_EQ(plain(c.text), c.lower) << c.text;
}

}  // namespace
}  // namespace galago
