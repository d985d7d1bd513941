// Which tokens are which DocTags.
#include "structured/doctags_vocabulary.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <string>
#include <vector>

#include "formats/model_files.h"
#include "unit/structured/doctags_vocabularies.h"

namespace galago {
namespace {

using doctags_test::made;
using doctags_test::spelled_locations;
using doctags_test::whole_tags;
using doctags_test::Words;
using Kind = DocToken::Kind;

Kind kind(const Words& words, const std::string& text) {
  return words.vocabulary->token(words.id(text)).kind;
}

TEST(DocTagsVocabulary, KnowsTheTags) {
  const Words words = whole_tags();
  EXPECT_EQ(kind(words, "<text>"), Kind::open);
  EXPECT_EQ(kind(words, "</section_header_level_3>"), Kind::close);
  EXPECT_EQ(words.vocabulary->token(words.id("</section_header_level_3>")).element,
            DocElement::section_header_level_3);
  EXPECT_EQ(kind(words, "<loc_500>"), Kind::location);
  EXPECT_EQ(words.vocabulary->token(words.id("<loc_500>")).number, 500);
  EXPECT_EQ(kind(words, "<xcel>"), Kind::cell);
  EXPECT_EQ(kind(words, "<_C++_>"), Kind::language);
  EXPECT_EQ(kind(words, "<bar_chart>"), Kind::picture);
  EXPECT_EQ(kind(words, "<page_break>"), Kind::page);
  EXPECT_EQ(kind(words, "</key_1>"), Kind::key_value);
  EXPECT_EQ(kind(words, "<image>"), Kind::control);
  EXPECT_EQ(kind(words, ""), Kind::control);
  EXPECT_EQ(kind(words, "Hello"), Kind::text);
  EXPECT_EQ(words.vocabulary->token(-1).kind, Kind::control);
  EXPECT_EQ(words.vocabulary->token(1 << 30).kind, Kind::control);
  EXPECT_FALSE(words.vocabulary->spells_locations());
  EXPECT_EQ(words.vocabulary->locations().size(), 501U);
}

TEST(DocTagsVocabulary, SpelledLocationsNeedTheirLetters) {
  EXPECT_TRUE(spelled_locations().vocabulary->spells_locations());
  EXPECT_EQ(kind(spelled_locations(), "</value_"), Kind::key_value);
  std::vector<doctags_test::Piece> pieces = spelled_locations().pieces;
  pieces['7'].bytes = "77";
  EXPECT_FALSE(made(pieces).vocabulary->has_locations());
}

TEST(DocTagsVocabulary, NumbersThatAreNone) {
  std::vector<doctags_test::Piece> pieces = whole_tags().pieces;
  for (const char* text :
       {"<loc_501>", "<loc_>", "<loc_007>", "<loc_-1>", "<loc_1", "<loc_1x>", "<loc_99999999>"})
    pieces.push_back({.bytes = text, .special = true});
  const Words words = made(pieces);
  EXPECT_EQ(words.vocabulary->locations().size(), 501U);
  EXPECT_EQ(kind(words, "<loc_007>"), Kind::control);
}

TEST(DocTagsVocabulary, ElementsWithoutAllTheirTagsAreNotOpened) {
  std::vector<doctags_test::Piece> pieces = whole_tags().pieces;
  for (doctags_test::Piece& piece : pieces)
    if (piece.bytes == "</title>" || piece.bytes == "<nl>" || piece.bytes == "<footnote>")
      piece.bytes = "<x>";
  const Words words = made(pieces);
  EXPECT_FALSE(words.vocabulary->elements().has(DocElement::title));
  EXPECT_FALSE(words.vocabulary->elements().has(DocElement::otsl));
  EXPECT_FALSE(words.vocabulary->elements().has(DocElement::footnote));
  EXPECT_TRUE(words.vocabulary->elements().has(DocElement::text));
  EXPECT_EQ(doctags_test::taken(words, words.ids("<doctag><title>")), 1U);
}

TEST(DocTagsVocabulary, ThereIsNoneWithoutThePage) {
  for (const char* tag : {"<doctag>", "</doctag>"}) {
    std::vector<doctags_test::Piece> pieces = whole_tags().pieces;
    for (doctags_test::Piece& piece : pieces)
      if (piece.bytes == tag) piece.bytes = "<page>";
    EXPECT_EQ(DocTagsVocabulary::of(pieces), nullptr) << tag;
  }
  EXPECT_EQ(DocTagsVocabulary::of(std::vector<doctags_test::Piece>{}), nullptr);
}

std::shared_ptr<const DocTagsVocabulary> of_model(const std::string& name) {
  const std::filesystem::path models = std::filesystem::path(GALAGO_TEST_DATA) / "models";
  return DocTagsVocabulary::of(Tokenizer::from_files(DirectoryFiles(models / name)));
}

TEST(DocTagsVocabulary, OfAModel) {
  const std::shared_ptr<const DocTagsVocabulary> docling = of_model("docling");
  ASSERT_NE(docling, nullptr);
  EXPECT_EQ(docling->locations().size(), 21U);
  EXPECT_TRUE(docling->elements().has(DocElement::picture));
  EXPECT_FALSE(docling->elements().has(DocElement::title));
  EXPECT_EQ(docling->token(334).element, DocElement::doctag);
  EXPECT_EQ(docling->token(368).kind, Kind::control);
  EXPECT_EQ(of_model("smolvlm_tiles"), nullptr);
}

}  // namespace
}  // namespace galago
