// A small tokenizer of every family, in the files in which the family's models have it, against what the
// reference's AutoTokenizer does with the same directory: ids, ids with the tokens around a text, ids of a
// fixed length, decoded text, names of the start and end tokens. Goldens: tools/oracle/family_tokenizers.py.
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>

#include "formats/model_files.h"
#include "galago/error.h"
#include "text/prompt/chat_template.h"
#include "text/tokenizer/padded_text.h"
#include "text/tokenizer/tokenizer.h"

namespace galago {
namespace {

using Ids = std::vector<int32_t>;

const std::filesystem::path kFamilies = std::filesystem::path(GALAGO_TEST_DATA) / "text" / "families";

nlohmann::json read(const std::string& name) {
  std::ifstream file(kFamilies / name);
  EXPECT_TRUE(file.good()) << name;
  return nlohmann::json::parse(file);
}

class FamilyTokenizer : public testing::TestWithParam<std::string> {
 protected:
  DirectoryFiles files_{kFamilies / GetParam()};
  Tokenizer tokenizer_ = Tokenizer::from_files(files_);
  nlohmann::json golden_ = read(GetParam() + ".golden.json");
  nlohmann::json texts_ = read("texts.json");
};

TEST_P(FamilyTokenizer, HasTheReferencesVocabulary) {
  EXPECT_EQ(tokenizer_.vocab_size(), golden_["size"].get<int64_t>());
  const TemplateContext context = read_template_context(files_);
  EXPECT_EQ(context.bos_token, golden_["bos"].get<std::string>());
  EXPECT_EQ(context.eos_token, golden_["eos"].get<std::string>());
}

TEST_P(FamilyTokenizer, EncodesAsTheReference) {
  ASSERT_EQ(golden_["ids"].size(), texts_.size());
  const auto& processed = golden_.contains("processed") ? golden_["processed"] : golden_["ids"];
  for (size_t i = 0; i < texts_.size(); ++i) {
    const auto text = texts_[i].get<std::string>();
    const auto expected = golden_["ids"][i].get<Ids>();
    EXPECT_EQ(tokenizer_.encode(text), expected) << text;
    EXPECT_EQ(tokenizer_.encode({{text, true}}, true), expected) << "parse_special: " << text;
    EXPECT_EQ(tokenizer_.add_special_tokens(expected), processed[i].get<Ids>()) << text;
  }
}

TEST_P(FamilyTokenizer, PadsAndCutsAsTheReference) {
  if (!golden_.contains("padded")) {
    EXPECT_THROW(encode_padded(tokenizer_, "a", 16), Error);
    return;
  }
  for (size_t i = 0; i < texts_.size(); ++i) {
    const auto text = texts_[i].get<std::string>();
    EXPECT_EQ(encode_padded(tokenizer_, text, 16, true).ids, golden_["padded"][i].get<Ids>()) << text;
  }
}

TEST_P(FamilyTokenizer, DecodesAsTheReference) {
  // A text tower's tokenizer has none: nothing decodes with it.
  ASSERT_EQ(golden_.contains("decode"), golden_["class"] != "SiglipTokenizer");
  for (const auto& c : golden_.value("decode", nlohmann::json::array())) {
    const auto ids = c["ids"].get<Ids>();
    EXPECT_EQ(tokenizer_.decode(ids, false), c["text"].get<std::string>()) << c["ids"];
    EXPECT_EQ(tokenizer_.decode(ids, true), c["skipped"].get<std::string>()) << c["ids"];
  }
}

std::vector<std::string> family_names() {
  std::vector<std::string> names;
  for (const auto& entry : std::filesystem::directory_iterator(kFamilies))
    if (entry.is_directory()) names.push_back(entry.path().filename().string());
  std::sort(names.begin(), names.end());
  return names;
}

INSTANTIATE_TEST_SUITE_P(All, FamilyTokenizer, testing::ValuesIn(family_names()),
                         [](const auto& family) { return family.param; });

TEST(FamilyTokenizers, AreAllThere) { EXPECT_EQ(family_names().size(), 25U); }

}  // namespace
}  // namespace galago
