// Every code point through every step whose result hangs on Unicode's tables, against hashes of what the
// reference makes of them (tools/oracle/unicode_goldens.py): ids must not depend on the distribution.
#include "text/unicode/unicode.h"

#include <gtest/gtest.h>

#include <map>

#include "formats/json.h"
#include "support/fixtures.h"
#include "text/growth.h"
#include "text/tokenizer/normalizer.h"
#include "text/tokenizer/pretokenizer.h"
#include "text/unicode/letter_case.h"

namespace galago {
namespace {

std::string utf8(char32_t c) {
  std::string text;
  unicode::append(text, c);
  return text;
}

/// The code points of the goldens: planes 4 to 13 have no characters, 15 and 16 are for private use.
bool is_tested(uint32_t c) {
  return c < 0xD800 || (c >= 0xE000 && c < 0x40000) || (c >= 0xE0000 && c < 0xE1000) ||
         (c >= 0xF0000 && c < 0xF0010) || c == 0x10FFFD;
}

std::string in_contexts(const std::string& c) {
  return c + "s a" + c + "b " + c + "1 " + c + "'" + c + "\n" + c + "A" + c;
}

using Outcome = std::function<std::string(const std::string&)>;

std::string hashes(const Outcome& outcome, uint32_t block) {
  std::map<uint32_t, uint32_t> blocks;
  for (uint32_t c = 0; c < 0x110000; ++c) {
    if (!is_tested(c)) continue;
    uint32_t& state = blocks.emplace(c / block, 0x811C9DC5).first->second;
    for (const char byte : outcome(in_contexts(utf8(c))))
      state = (state ^ static_cast<uint8_t>(byte)) * 0x01000193;
  }
  std::string text;
  for (const auto& [index, value] : blocks) {
    char buffer[16];
    std::snprintf(buffer, sizeof buffer, "%08x", value);
    if (!text.empty()) text += ' ';
    text += buffer;
  }
  return text;
}

Outcome outcome_of(const JsonField& field) {
  if (const auto normalizer = field.find("normalizer"))
    return [step = Normalizer::from_json(*normalizer)](const std::string& text) {
      return step(MarkedText(text), most_grown(text.size())).text();
    };
  return [step = PreTokenizer::from_json(field.at("pre_tokenizer"))](const std::string& text) {
    std::string pieces;
    step({.text = text}, [&pieces](const Piece& piece) {
      if (!pieces.empty()) pieces += '\x1f';
      pieces += piece.text;
    });
    return pieces;
  };
}

/// The block where two lists of hashes part.
std::string first_difference(const std::string& a, const std::string& b, uint32_t block) {
  size_t at = 0;
  while (at < a.size() && at < b.size() && a.compare(at, 9, b, at, 9) == 0) at += 9;
  return "the block number " + std::to_string(at / 9) + " of " + std::to_string(block) + " code points";
}

TEST(Unicode, EveryCodePointAsTheReference) {
  const Json document = parse_json(test::read_bytes(test::data_path("text/unicode.json")), "unicode.json");
  const JsonField root(document, "unicode.json");
  const auto block = static_cast<uint32_t>(root.at("block").integer(1, 1 << 20));
  for (size_t i = 0; i < root.at("cases").size(); ++i) {
    const JsonField entry = root.at("cases").at(i);
    const std::string found = hashes(outcome_of(entry), block);
    const std::string& expected = entry.at("hashes").string();
    EXPECT_TRUE(found == expected) << entry.value().dump().substr(0, 200) << "\n differs in "
                                   << first_difference(found, expected, block);
  }
}

TEST(Unicode, MongolianVowelSeparatorIsNoSpace) {
  EXPECT_FALSE(unicode::is_space(0x180E));
  EXPECT_FALSE(unicode::is_python_space(0x180E));
}

TEST(Unicode, LowerCaseOfWordsAsPython) {
  EXPECT_EQ(unicode::python_lower("\u0391\u03A3 \u03A3 \u0391\u03A3' \u0391'\u03A3\u0391 \u03A3A \u0130"),
            "\u03B1\u03C2 \u03C3 \u03B1\u03C2' \u03B1'\u03C3\u03B1 \u03C3a i\u0307");
}

}  // namespace
}  // namespace galago
