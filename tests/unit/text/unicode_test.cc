// Every code point through every step whose result hangs on Unicode's tables, against hashes of what the
// reference makes of them (tools/oracle/unicode_goldens.py): ids must not depend on the distribution.
#include "text/unicode/unicode.h"

#include <gtest/gtest.h>

#include <map>
#include <sstream>

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

/// A sanitizer takes minutes over all of them; every so manieth block, others in each case, asks the same
/// code.
#ifdef GALAGO_SANITIZED
constexpr size_t kBlocksOfEach = 16;
#else
constexpr size_t kBlocksOfEach = 1;
#endif

/// The hash of each block of code points that has tested ones; nothing for those that `wanted` leaves out.
template <typename Wanted>
std::vector<std::string> hashes(const Outcome& outcome, uint32_t block, const Wanted& wanted) {
  std::map<uint32_t, uint32_t> blocks;
  for (uint32_t c = 0; c < 0x110000; ++c) {
    if (!is_tested(c)) continue;
    uint32_t& state = blocks.emplace(c / block, 0x811C9DC5).first->second;
    if (!wanted(blocks.size() - 1)) continue;
    for (const char byte : outcome(in_contexts(utf8(c))))
      state = (state ^ static_cast<uint8_t>(byte)) * 0x01000193;
  }
  std::vector<std::string> texts;
  for (const auto& [index, value] : blocks) {
    char buffer[16];
    std::snprintf(buffer, sizeof buffer, "%08x", value);
    texts.emplace_back(wanted(texts.size()) ? buffer : "");
  }
  return texts;
}

Outcome outcome_of(const JsonField& field) {
  if (const auto normalizer = field.find("normalizer"))
    return [step = Normalizer::from_json(*normalizer)](const std::string& text) {
      return step(MarkedText(text), most_grown(text.size())).text();
    };
  return [step = PreTokenizer::from_json(field.at("pre_tokenizer"))](const std::string& text) {
    std::string pieces;
    PreTokenizer::Run run(step, most_grown(text.size()));
    run({.text = text}, [&pieces](const Piece& piece) {
      if (!pieces.empty()) pieces += '\x1f';
      pieces += piece.text;
    });
    return pieces;
  };
}

TEST(Unicode, EveryCodePointAsTheReference) {
  const Json document = parse_json(test::read_bytes(test::data_path("text/unicode.json")), "unicode.json");
  const JsonField root(document, "unicode.json");
  const auto block = static_cast<uint32_t>(root.at("block").integer(1, 1 << 20));
  for (size_t i = 0; i < root.at("cases").size(); ++i) {
    const JsonField entry = root.at("cases").at(i);
    const auto wanted = [&](size_t number) { return (number + i) % kBlocksOfEach == 0; };
    const std::vector<std::string> found = hashes(outcome_of(entry), block, wanted);
    std::istringstream expected(entry.at("hashes").string());
    for (size_t number = 0; number < found.size(); ++number) {
      std::string hash;
      expected >> hash;
      if (!wanted(number)) continue;
      ASSERT_EQ(found[number], hash) << entry.value().dump().substr(0, 200)
                                     << "\n differs in the block number " << number << " of " << block
                                     << " code points";
    }
    EXPECT_TRUE((expected >> std::ws).eof());
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
