// Which sequences of DocTags the machine takes. Each stands for two vocabularies: locations of one token
// each, and locations that are spelled.
#include "structured/doctags.h"

#include <gtest/gtest.h>

#include <fstream>
#include <iterator>
#include <string>
#include <vector>

#include "formats/json.h"
#include "galago/error.h"
#include "unit/structured/doctags_vocabularies.h"

namespace galago {
namespace {

using doctags_test::spelled_locations;
using doctags_test::taken;
using doctags_test::whole_tags;
using doctags_test::Words;

const Words& whole() {
  static const Words words = whole_tags();
  return words;
}
const Words& begun() {
  static const Words words = spelled_locations(true);
  return words;
}
const Words& spelled() {
  static const Words words = spelled_locations();
  return words;
}

std::string replaced(std::string text, std::string_view from, std::string_view to) {
  for (size_t at = text.find(from); at != std::string::npos; at = text.find(from, at + to.size()))
    text.replace(at, from.size(), to);
  return text;
}

/// BOX stands for four locations; what follows "^" is the first token that is not legal.
void expect_legal_up_to_mark(const Words& words, std::string text) {
  text = replaced(std::move(text), "BOX", "<loc_10><loc_20><loc_300><loc_400>");
  SCOPED_TRACE(text);
  const size_t mark = text.find('^');
  const std::string sequence = replaced(text, "^", "");
  const std::vector<int32_t> ids = words.ids(sequence);
  ASSERT_EQ(words.text(ids), sequence);
  const size_t count = taken(words, ids);
  const std::string legal = words.text({ids.begin(), ids.begin() + static_cast<std::ptrdiff_t>(count)});
  if (mark == std::string::npos) {
    EXPECT_EQ(legal, sequence);
  } else if (words.vocabulary->spells_locations() && sequence.substr(mark).starts_with("<loc_")) {
    // Its beginning may be a legal one.
    EXPECT_GE(legal.size(), mark - 1) << legal;
    EXPECT_LE(legal.size(), mark + std::string_view("<loc_500").size()) << legal;
  } else {
    EXPECT_EQ(legal, sequence.substr(0, mark));
  }
}

void expect_both(const std::vector<std::string>& texts) {
  for (const std::string& text : texts) {
    expect_legal_up_to_mark(whole(), text);
    expect_legal_up_to_mark(spelled(), text);
    expect_legal_up_to_mark(begun(), text);
  }
}
void expect_whole(const std::vector<std::string>& texts) {
  for (const std::string& text : texts) expect_legal_up_to_mark(whole(), text);
}

TEST(DocTags, PagesAreLegal) {
  expect_both({
      "<doctag></doctag><end_of_utterance>",
      "<doctag>\n</doctag><end_of_utterance>",
      "<doctag><text>Hello world</text></doctag><end_of_utterance>",
      "<doctag><text>BOXHello world</text></doctag><end_of_utterance>",
      "<doctag><text>BOXHello</text>\n<title>BOXHello</title>\n</doctag>",
      "<doctag><section_header_level_1>BOXHello</section_header_level_1></doctag>",
      "<doctag><text>BOX</text></doctag>",
      "<doctag><text></text></doctag>",
      "<doctag><text>BOXHello<formula>x2</formula> world</text></doctag>",
      "<doctag><page_header>BOXHello</page_header><page_footer>BOX5</page_footer></doctag>",
      "<doctag><text>5 < 6 and <loc</text></doctag>",
      "<doctag><text><</text></doctag>",
      "<doctag><text>BOX</text><page_break><text>BOXHello</text></doctag>",
      "<doctag><footnote>BOX1. Hello</footnote></doctag>",
      "<doctag><formula>BOX\\frac{1}{2}</formula></doctag>",
      "<doctag><checkbox_selected>BOXHello</checkbox_selected></doctag>",
      "<doctag><form>BOX<text>BOXHello</text></form></doctag>",
      "<doctag><code>BOX<_Python_>a < b</code></doctag>",
      "<doctag><code>BOXprint()<caption>BOXHello</caption></code></doctag>",
      "<doctag><code>BOX<caption>BOXHello</caption>print()</code></doctag>",
      "<doctag><caption>BOXHello</caption></doctag>",
      "<doctag><paragraph>BOXHello</paragraph></doctag>",
  });
}

TEST(DocTags, OthersAreNot) {
  expect_both({
      "<doctag>^Hello",
      "<doctag>^<doctag>",
      "<doctag>^</text>",
      "<doctag>^<end_of_utterance>",
      "<doctag>^<loc_1>",
      "<doctag>^<fcel>",
      "<doctag>^<nl>",
      "<doctag>^<list_item>",
      "<doctag>^<smiles>",
      "<doctag>^<image>",
      "<doctag>\n\n\n\n^\n",
      "<doctag><text>^</title>",
      "<doctag><text>^</doctag>",
      "<doctag><text>^<text>",
      "<doctag><text>^<picture>",
      "<doctag><text>Hello^<end_of_utterance>",
      "<doctag><text>Hello^<|start_of_role|>",
      "<doctag><text>Hello^<page_break>",
      "<doctag><text>Hello^<image>",
      "<doctag><text>Hello^<nl>",
      "<doctag><formula>^<formula>",
      "<doctag><code>^<formula>",
      "<doctag></doctag>^Hello",
      "<doctag></doctag>^<doctag>",
      "<doctag></doctag>^<text>",
      "<doctag><text>a^<page_header>",
  });
}

TEST(DocTags, BoxesHaveFourNumbersInOrder) {
  expect_both({
      "<doctag><text><loc_0><loc_0><loc_1><loc_1>Hello",
      "<doctag><text><loc_499><loc_499><loc_500><loc_500>Hello",
      "<doctag><text><loc_50><loc_7><loc_51><loc_8></text>",
      "<doctag><text>^<loc_500>",
      "<doctag><text><loc_1>^<loc_500>",
      "<doctag><text><loc_1>^</text>",
      "<doctag><text><loc_1><loc_2>^</text>",
      "<doctag><text><loc_1><loc_2><loc_3>^</text>",
      "<doctag><text><loc_1><loc_2>^ Hello",
      "<doctag><text><loc_1><loc_2><loc_3>^<formula>",
      "<doctag><text><loc_30><loc_2>^<loc_30>",
      "<doctag><text><loc_30><loc_2>^<loc_29>",
      "<doctag><text><loc_30><loc_2>^<loc_3>",
      "<doctag><text><loc_30><loc_20><loc_31>^<loc_20>",
      "<doctag><text><loc_30><loc_499><loc_31>^<loc_50>",
      "<doctag><text>BOX^<loc_1>",
      "<doctag><text>BOXHello^<loc_1>",
      "<doctag><text>Hello^<loc_1>",
      "<doctag><unordered_list>^<loc_1>",
      "<doctag><picture>BOX<smiles>^<loc_1>",
      "<doctag><picture>^</picture>",
      "<doctag><picture>^<caption>",
      "<doctag><picture><loc_1>^<caption>",
      "<doctag><otsl>BOX^<loc_1>",
  });
}

TEST(DocTags, SpelledNumbersAreNumbers) {
  for (const char* text : {"<doctag><text><loc_0^7>", "<doctag><text><loc_^501>", "<doctag><text><loc_^999>",
                           "<doctag><text><loc_499^9>", "<doctag><text><loc_^>", "<doctag><text><loc_1^ >",
                           "<doctag><text><loc_1>^ <loc_2>", "<doctag><text><lo^<loc_1>"})
    expect_legal_up_to_mark(spelled(), text);
}

TEST(DocTags, TheBeginningOfALocationMayBeATokenOfItsOwn) {
  const std::vector<int32_t> ids =
      begun().ids("<doctag><picture><loc_1><loc_0><loc_500><loc_400><other></picture> </doctag>");
  EXPECT_EQ(begun().pieces[static_cast<size_t>(ids[2])].bytes, "<loc_");
  EXPECT_EQ(taken(begun(), ids), ids.size());
  DocTagsMachine machine = begun().machine();
  machine.follow(begun().ids("<doctag><text>"));
  EXPECT_TRUE(machine.allows(begun().id("<loc_")));
  machine.follow(begun().ids("Hello"));
  EXPECT_FALSE(machine.allows(begun().id("<loc_")));
}

TEST(DocTags, TablesAreGrids) {
  expect_both({
      "<doctag><otsl>BOX<fcel>Hello<nl></otsl></doctag>",
      "<doctag><otsl><ched>a<ched>b<nl><fcel>1<fcel>2<nl></otsl></doctag>",
      "<doctag><otsl>BOX<caption>BOXHello</caption><fcel>1<ecel><nl></otsl></doctag>",
      "<doctag><otsl>BOX<fcel>1<ecel><nl><caption>BOXHello</caption></otsl></doctag>",
      "<doctag><otsl><ched>a<lcel><nl><rhed>1<fcel>2<nl></otsl></doctag>",
      "<doctag><otsl><fcel>a<fcel>b<nl><ucel><fcel>2<nl><ucel><ecel><nl></otsl></doctag>",
      "<doctag><otsl><fcel>a<lcel><fcel>c<nl><ucel><xcel><fcel>2<nl><ucel><xcel><ucel><nl></otsl></doctag>",
      "<doctag><otsl><fcel>a<xcel><fcel>c<nl><xcel><xcel><ucel><nl></otsl></doctag>",
      "<doctag><otsl><fcel>a<fcel>b<xcel><nl><fcel>c<xcel><xcel><nl></otsl></doctag>",
      "<doctag><otsl><fcel>a<fcel>b<nl><fcel>c<xcel><nl></otsl></doctag>",
      "<doctag><otsl><fcel>a<xcel><xcel><nl><fcel>b<xcel><lcel><nl></otsl></doctag>",
      "<doctag><otsl><fcel>a<lcel><lcel><nl><fcel>1<fcel>2<lcel><nl></otsl></doctag>",
      "<doctag><otsl><fcel>BOXHello<fcel>BOX<nl></otsl></doctag>",
      "<doctag><otsl><fcel>a<formula>x</formula>b<nl></otsl></doctag>",
      "<doctag><chart>BOX<caption>BOXHello</caption><fcel>1<fcel>2<nl></chart></doctag>",
      "<doctag><picture>BOX<fcel>1<nl></picture></doctag>",
      "<doctag><otsl>\n<fcel>1<nl>\n<fcel>2<nl></otsl></doctag>",
  });
  expect_both({
      "<doctag><otsl>^</otsl>",
      "<doctag><otsl>BOX^</otsl>",
      "<doctag><otsl>^Hello",
      "<doctag><otsl>^<nl>",
      "<doctag><otsl>^<lcel>",
      "<doctag><otsl>^<ucel>",
      "<doctag><otsl>^<xcel>",
      "<doctag><otsl><fcel>1^</otsl>",
      "<doctag><otsl><fcel>1^<caption>",
      "<doctag><otsl><fcel>1^<ucel>",
      "<doctag><otsl><fcel>1<fcel>2<xcel><nl>^<xcel>",
      "<doctag><otsl><ecel>^Hello",
      "<doctag><otsl><fcel>1<fcel>2<nl><fcel>1^<nl>",
      "<doctag><otsl><fcel>1<fcel>2<nl><fcel>1<fcel>2^<fcel>",
      "<doctag><otsl><fcel>1<fcel>2<nl><fcel>1<fcel>2^<lcel>",
      "<doctag><otsl><fcel>1<fcel>2<nl><fcel>1<fcel>2^</otsl>",
      "<doctag><otsl><fcel>1<fcel>2<nl>^<lcel>",
      "<doctag><otsl><fcel>1<fcel>2<nl>^<xcel>",
      "<doctag><otsl><fcel>1<fcel>2<nl><ucel>^<lcel>",
      "<doctag><otsl><fcel>1<fcel>2<nl><ucel>^<xcel>",
      "<doctag><otsl><fcel>1<lcel><nl><ucel>^<fcel>",
      "<doctag><otsl><fcel>1<lcel><nl><ucel>^<lcel>",
      "<doctag><otsl><fcel>1<lcel><nl><fcel>1^<ucel>",
      "<doctag><otsl><fcel>1<xcel><nl><xcel>^<fcel>",
      "<doctag><otsl><fcel>1<xcel><nl><ucel>^<lcel>",
      "<doctag><otsl><fcel>1<lcel><nl><ucel><xcel><nl>^<nl>",
      "<doctag><otsl><caption>Hello</caption>^<caption>",
      "<doctag><otsl><fcel>1<nl><caption>Hello</caption>^<fcel>",
      "<doctag><otsl><fcel>1<nl>^Hello",
      "<doctag><otsl><fcel>1^<otsl>",
      "<doctag><otsl><fcel>1^<page_break>",
  });
}

// What docling-core writes is legal: tools/oracle/doctags_goldens.py.
TEST(DocTags, PagesOfDoclingCoreAreLegal) {
  std::ifstream file(std::string(GALAGO_TEST_DATA) + "/text/doctags.json");
  const std::string text{std::istreambuf_iterator<char>(file), {}};
  const Json pages = parse_json(text, "doctags.json");
  ASSERT_EQ(pages.size(), 22U);
  for (const Json& page : pages) {
    const std::string name = page[0];
    expect_legal_up_to_mark(whole(), replaced(page[1], "^", "#"));
    // Granite-Docling has no tokens for these tags.
    if (!name.starts_with("inline") && !name.starts_with("section_rows") && !name.starts_with("text_page"))
      expect_legal_up_to_mark(spelled(), replaced(page[1], "^", "#"));
  }
}

TEST(DocTags, ListsHoldItems) {
  expect_both({
      "<doctag><unordered_list><list_item>BOXHello</list_item>\n</unordered_list></doctag>",
      "<doctag><ordered_list>\n<list_item>BOX1. "
      "Hello</list_item>\n<list_item>BOX2</list_item></ordered_list></doctag>",
      "<doctag><ordered_list><list_item>Hello<unordered_list><list_item>world</list_item></unordered_list>"
      "</list_item></ordered_list></doctag>",
      "<doctag><unordered_list><ordered_list><list_item>5</list_item></ordered_list></unordered_list></"
      "doctag>",
      "<doctag><unordered_list>^Hello",
      "<doctag><unordered_list>^<text>",
      "<doctag><unordered_list>^</ordered_list>",
      "<doctag><unordered_list><list_item>^<list_item>",
      "<doctag><unordered_list><list_item>^</unordered_list>",
  });
}

TEST(DocTags, PicturesSayWhatTheyShow) {
  expect_both({
      "<doctag><picture>BOX</picture></doctag>",
      "<doctag><picture>BOX<caption>BOXHello</caption></picture></doctag>",
      "<doctag><picture>BOX<smiles>CCO</smiles></picture></doctag>",
      "<doctag><picture>BOX<other></picture></doctag>",
      "<doctag><chart>BOX<bar_chart><ched>a<ched>b<nl><fcel>1<fcel>2<nl></chart></doctag>",
      "<doctag><picture>BOX<caption>Hello</caption>^<caption>",
      "<doctag><picture>BOX^<text>",
      "<doctag><picture>BOX^<picture>",
  });
  expect_whole({
      "<doctag><picture>BOX<other>^<other>",
      "<doctag><picture>BOX^Hello",
      "<doctag><picture>^<other>",
      "<doctag><text>^<other>",
      "<doctag><code><_Python_>^<_Python_>",
      "<doctag><code>a^<_Python_>",
      "<doctag><text>^<_Python_>",
  });
}

TEST(DocTags, WordsOfTheRestOfTheVocabulary) {
  expect_whole({
      "<doctag><inline>BOX\n<text>Hello</text><formula>x</formula>\n</inline></doctag>",
      "<doctag><text>BOX<inline><text>Hello</text><code><_C++_>x</code></inline></text></doctag>",
      "<doctag>^<document_index>",
      "^<document_index>",
      "<doctag><inline>^Hello",
      "<doctag><inline><text>^<inline>",
      "<doctag><otsl><srow>Hello<lcel><nl><fcel>1<fcel>2<nl></otsl></doctag>",
      "<doctag><key_value_region>BOX<key_1>BOXHello<link_2></key_1></key_value_region></doctag>",
      "<doctag><text>^<key_1>",
  });
  expect_legal_up_to_mark(
      spelled(),
      "<doctag><key_value_region>BOX<key_1>BOXHello<link_2></key_1><value_2>BOX5</value_2>"
      "</key_value_region></doctag>");
  expect_legal_up_to_mark(spelled(), "<doctag>^<group>");
  expect_legal_up_to_mark(spelled(), "<doctag>^<rec_");
}

// A model of DocTags is also asked in words, or for a part of a page.
TEST(DocTags, OutsideOfAPageAnswersAreFree) {
  expect_both({
      "Hello world<end_of_utterance>",
      "<end_of_utterance>",
      " <doctag><text>Hello</text></doctag><end_of_utterance>",
      "<loc_42><loc_18><loc_263><loc_32>Hello\n<loc_41><loc_40>",
      "<formula>x</formula><end_of_utterance>",
      "<fcel>a<fcel>b<nl><end_of_utterance>",
      "<otsl>BOX<fcel>a<nl></otsl> Hello <text>BOXHello</text>",
      "<list_item>Hello</list_item>",
      "<image><|start_of_role|>",
      "^</text>",
      "Hello^</doctag>",
      "<formula>x^</text>",
      "<formula>x^<end_of_utterance>",
      "<otsl>^</otsl>",
  });
}

TEST(DocTags, AfterThePageNothingComesButAnEnd) {
  DocTagsMachine machine = whole().machine();
  machine.follow(whole().ids("<doctag>"));
  EXPECT_FALSE(machine.complete());
  machine.follow(whole().ids("</doctag>"));
  EXPECT_TRUE(machine.complete());
  std::vector<uint32_t> mask(static_cast<size_t>(mask_words(whole().vocabulary->size())) + 3, 7);
  ASSERT_TRUE(machine.fill(mask));
  int64_t bits = 0;
  for (const uint32_t word : mask) bits += __builtin_popcount(word);
  EXPECT_EQ(bits, 1);

  DocTagsMachine endless(whole().vocabulary, {});
  endless.follow(whole().ids("<doctag></doctag>Hello"));
  EXPECT_FALSE(endless.fill(mask));
}

TEST(DocTags, APromptThatBeganTheAnswerIsFollowed) {
  DocTagsMachine machine = whole().machine();
  machine.follow(whole().ids("<doctag><otsl><fcel>1<fcel>2<nl><fcel>"));
  EXPECT_FALSE(machine.allows(whole().id("<nl>")));
  EXPECT_TRUE(machine.allows(whole().id("<fcel>")));
  // One that is not legal: nothing is held any more.
  DocTagsMachine off = whole().machine();
  off.follow(whole().ids("<doctag><otsl></otsl>"));
  std::vector<uint32_t> mask(static_cast<size_t>(mask_words(whole().vocabulary->size())), 7);
  EXPECT_FALSE(off.fill(mask));
  EXPECT_EQ(mask[0], 7U);
  EXPECT_TRUE(off.allows(whole().id("</title>")));
  off.accept(whole().id("</title>"));
}

TEST(DocTags, WhatIsNotAllowedIsNotAccepted) {
  DocTagsMachine machine = whole().machine();
  EXPECT_THROW(machine.accept(whole().id("</text>")), Error);
  machine.accept(whole().id("<doctag>"));
  for (const int32_t id : {-1, 1 << 30, static_cast<int32_t>(whole().vocabulary->size())}) {
    EXPECT_FALSE(machine.allows(id));
    EXPECT_THROW(machine.accept(id), Error);
  }
}

// Granite-Docling's tokenizer has one token more than the model has logits.
TEST(DocTags, MasksMayBeShorterThanTheVocabulary) {
  for (const char* text :
       {"Hello", "<doctag>", "<doctag><text>", "<doctag><text><loc_1>", "<doctag></doctag>"}) {
    SCOPED_TRACE(text);
    DocTagsMachine machine(whole().vocabulary, std::vector<int32_t>{whole().end, 5, 1 << 30});
    machine.follow(whole().ids(text));
    std::vector<uint32_t> all(static_cast<size_t>(mask_words(whole().vocabulary->size())));
    ASSERT_TRUE(machine.fill(all));
    std::vector<uint32_t> most(all.size() - 4);
    ASSERT_TRUE(machine.fill(most));
    all.resize(most.size());
    EXPECT_EQ(most, all);
  }
  DocTagsMachine closed = whole().machine();
  closed.follow(whole().ids("<doctag></doctag>"));
  std::vector<uint32_t> without_end(2);
  EXPECT_THROW(closed.fill(without_end), Error);
}

}  // namespace
}  // namespace galago
