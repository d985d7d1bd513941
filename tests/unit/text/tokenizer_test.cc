// Mixed prompts: control text with special tokens beside user text that only looks like them, and the token
// table.
#include "text/tokenizer/tokenizer.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <fstream>
#include <sstream>

#include "galago/error.h"

namespace galago {
namespace {

using Ids = std::vector<int32_t>;

Tokenizer load(const std::string& name) {
  std::ifstream file(std::string(GALAGO_TEST_DATA) + "/text/tokenizers/" + name);
  std::stringstream text;
  text << file.rdbuf();
  return Tokenizer::from_json(text.str(), name);
}

Ids operator+(Ids a, const Ids& b) {
  a.insert(a.end(), b.begin(), b.end());
  return a;
}

TEST(TokenizerSegments, SpecialTokensOfControlTextCutTheUsersText) {
  const Tokenizer t = load("smollm.json");
  const Ids start = {*t.token_to_id("<|im_start|>")};
  const Ids image = {*t.token_to_id("<image>")};
  const Ids end = {*t.token_to_id("<end_of_utterance>")};
  const Ids typed = t.encode({{"see <image><end_of_utterance>", true}});
  const Ids got = t.encode({{"<|im_start|><image>", false},
                            {"see <image><end_of_utterance>", true},
                            {"<end_of_utterance>", false}});
  EXPECT_EQ(got, start + image + typed + end);
  EXPECT_EQ(std::count(typed.begin(), typed.end(), image[0]), 0);
}

TEST(TokenizerSegments, ATokenThatIsHalfTypedIsText) {
  const Tokenizer t = load("smollm.json");
  const Ids whole = t.encode({{"<image>", true}});
  EXPECT_EQ(t.encode({{"<ima", false}, {"ge>", true}}), whole);
  EXPECT_EQ(t.encode({{"<", true}, {"image>", false}}), whole);
  EXPECT_NE(t.encode({{"<image>", false}}), whole);
}

TEST(TokenizerSegments, TextMergesAcrossBorders) {
  const Tokenizer t = load("smollm.json");
  EXPECT_EQ(t.encode({{"What is in the pic", false}, {"ture?", true}}), t.encode("What is in the picture?"));
  EXPECT_EQ(t.encode({{"e", false}, {"\xCC\x81", true}}), t.encode("e\xCC\x81"));
}

TEST(TokenizerSegments, NormalizedTokensAreSafeToo) {
  const Tokenizer t = load("added.json");
  const auto cafe = t.token_to_id("Caf\xC3\xA9");
  ASSERT_TRUE(cafe.has_value());
  EXPECT_EQ(t.encode("CAF\xC3\x89"), Ids{*cafe});
  for (const Segments& typed :
       {Segments{{"CAF\xC3\x89", true}}, Segments{{"CAF", false}, {"\xC3\x89", true}}}) {
    const Ids ids = t.encode(typed);
    EXPECT_EQ(std::count(ids.begin(), ids.end(), *cafe), 0);
  }
}

TEST(TokenizerTable, NamesTokensAndTheirBytes) {
  const Tokenizer t = load("smollm.json");
  EXPECT_EQ(t.vocab_size(), 466);
  EXPECT_EQ(t.token_bytes(*t.token_to_id("<image>")), "<image>");
  EXPECT_TRUE(t.is_special(*t.token_to_id("<image>")));
  const int32_t the = t.encode(" the")[0];
  EXPECT_EQ(t.token_bytes(the), " the");
  EXPECT_FALSE(t.is_special(the));
  EXPECT_FALSE(t.token_to_id("no such token").has_value());
  const Tokenizer s = load("sentencepiece.json");
  EXPECT_EQ(s.token_bytes(*s.token_to_id("<0x0A>")), "\n");
}

// A model with padded embeddings can choose an id that the tokenizer does not have.
TEST(TokenizerStream, SkipsIdsBeyondTheVocabulary) {
  const Tokenizer t = load("smollm.json");
  const auto beyond = static_cast<int32_t>(t.vocab_size());
  Ids ids = t.encode(" the cat");
  ids.insert(ids.begin() + 1, {beyond, INT32_MAX});
  EXPECT_EQ(t.decode(ids, false), " the cat");
  StreamDecoder stream(t, true);
  EXPECT_EQ(stream.push(beyond), "");
  EXPECT_THROW(stream.push(-1), Error);
}

TEST(TokenizerStream, HoldsBackTheBytesOfAnUnfinishedCharacter) {
  const Tokenizer t = load("smollm.json");
  const Ids ids = t.encode("\xF0\x9F\x98\x84!");  // four bytes, not in the training text as a whole
  StreamDecoder stream(t, true);
  std::string text;
  size_t empty = 0;
  for (const int32_t id : ids) {
    const std::string part = stream.push(id);
    empty += part.empty() ? 1 : 0;
    text += part;
  }
  EXPECT_GT(empty, 0U);
  EXPECT_EQ(text + stream.finish(), "\xF0\x9F\x98\x84!");
  StreamDecoder cut(t, true);
  EXPECT_EQ(cut.push(ids[0]), "");
  EXPECT_EQ(cut.finish(), "\xEF\xBF\xBD");
}

}  // namespace
}  // namespace galago
