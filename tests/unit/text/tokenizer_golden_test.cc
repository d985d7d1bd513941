// Every small tokenizer against what the `tokenizers` library does with the same file: ids with special
// tokens recognised, ids of the same text typed by a user, ids with the post-processor's tokens, decoded
// text. Goldens: tools/oracle/text_goldens.py.
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <random>
#include <sstream>

#include "text/tokenizer/tokenizer.h"
#include "text/unicode/unicode.h"

namespace galago {
namespace {

using Ids = std::vector<int32_t>;

std::string read(const std::string& name) {
  std::ifstream file(std::string(GALAGO_TEST_DATA) + "/text/tokenizers/" + name);
  EXPECT_TRUE(file.good()) << name;
  std::stringstream text;
  text << file.rdbuf();
  return text.str();
}

class TokenizerGolden : public testing::TestWithParam<std::string> {
 protected:
  Tokenizer tokenizer_ = Tokenizer::from_json(read(GetParam() + ".json"), GetParam() + ".json");
  nlohmann::json golden_ = nlohmann::json::parse(read(GetParam() + ".golden.json"));
};

TEST_P(TokenizerGolden, EncodesAsTheReference) {
  ASSERT_GE(golden_["encode"].size(), 60U);
  for (const auto& c : golden_["encode"]) {
    const auto text = c["text"].get<std::string>();
    EXPECT_EQ(tokenizer_.encode(text), c["ids"].get<Ids>()) << text;
    EXPECT_EQ(tokenizer_.encode({{text, true}}, true), c["ids"].get<Ids>()) << "parse_special: " << text;
  }
}

TEST_P(TokenizerGolden, UserTextHoldsNoAddedTokens) {
  for (const auto& c : golden_["encode"]) {
    const auto text = c["text"].get<std::string>();
    EXPECT_EQ(tokenizer_.encode({{text, true}}), c["user_ids"].get<Ids>()) << text;
  }
}

TEST_P(TokenizerGolden, BordersOfSegmentsAreInvisible) {
  for (const auto& c : golden_["encode"]) {
    const auto text = c["text"].get<std::string>();
    Segments letters;
    for (size_t i = 0; i < text.size();) {
      const auto length = static_cast<size_t>(unicode::decode_at(text, i).length);
      letters.push_back({text.substr(i, length), false});
      i += length;
    }
    EXPECT_EQ(tokenizer_.encode(letters), c["ids"].get<Ids>()) << text;
  }
}

TEST_P(TokenizerGolden, AddsWhatThePostProcessorAdds) {
  for (const auto& c : golden_["encode"])
    EXPECT_EQ(tokenizer_.add_special_tokens(c["ids"].get<Ids>()), c["processed_ids"].get<Ids>()) << c["text"];
}

TEST_P(TokenizerGolden, DecodesAsTheReference) {
  for (const auto& c : golden_["decode"]) {
    const auto ids = c["ids"].get<Ids>();
    EXPECT_EQ(tokenizer_.decode(ids, false), c["text"].get<std::string>()) << c["ids"];
    EXPECT_EQ(tokenizer_.decode(ids, true), c["skipped"].get<std::string>()) << c["ids"];
  }
}

TEST_P(TokenizerGolden, StreamsWholeCharactersThatJoinToTheDecodedText) {
  std::mt19937 random(7);
  std::uniform_int_distribution<int32_t> id(0, static_cast<int32_t>(tokenizer_.vocab_size()) - 1);
  for (int round = 0; round < 300; ++round) {
    Ids ids(static_cast<size_t>(1 + round % 40));
    for (int32_t& i : ids) i = id(random);
    const bool skip = round % 2 == 0;
    StreamDecoder stream(tokenizer_, skip);
    std::string text;
    for (const int32_t i : ids) {
      const std::string part = stream.push(i);
      EXPECT_EQ(unicode::find_malformed(part), std::string::npos);
      text += part;
    }
    text += stream.finish();
    EXPECT_EQ(text, tokenizer_.decode(ids, skip));
  }
}

INSTANTIATE_TEST_SUITE_P(Kinds, TokenizerGolden,
                         testing::Values("smollm", "gpt2", "digits", "llama3", "nfc", "nfkc_pcre",
                                         "sentencepiece", "metaspace", "added"),
                         [](const auto& kind) { return kind.param; });

TEST(TokenizerFiles, HaveAGoldenEachAndATest) {
  size_t files = 0;
  for (const auto& entry :
       std::filesystem::directory_iterator(std::string(GALAGO_TEST_DATA) + "/text/tokenizers"))
    files += entry.path().filename().string().ends_with(".golden.json") ? 1 : 0;
  EXPECT_EQ(files, 9U) << "a new golden needs its name in the list above";
}

}  // namespace
}  // namespace galago
