// Documents from DocTags: structure, places, how sure the model was, limits.
#include "documents/doctags_parser.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <string>
#include <vector>

#include "documents/document_limits.h"
#include "documents/export.h"

namespace galago::documents {
namespace {

using testing::ElementsAre;
using testing::Pair;

const Element& only(const Document& document) {
  EXPECT_EQ(document.pages.size(), 1U);
  EXPECT_EQ(document.pages.at(0).elements.size(), 1U);
  return document.pages.at(0).elements.at(0);
}

std::string repeated(const std::string& text, size_t times) {
  std::string out;
  for (size_t i = 0; i < times; ++i) out += text;
  return out;
}

TEST(DocTagsParser, ReadsPlaces) {
  const Document document =
      parse_doctags("<doctag><text><loc_50><loc_100><loc_250><loc_500>A</text></doctag>");
  const Element& text = only(document);
  EXPECT_EQ(text.kind, ElementKind::text);
  EXPECT_EQ(text.box, (Box{50, 100, 250, 500}));
  EXPECT_THAT(text.box->fractions(), ElementsAre(0.1, 0.2, 0.5, 1.0));
  EXPECT_FALSE(text.confidence);
  EXPECT_EQ(document.pages[0].number, 1);
}

TEST(DocTagsParser, ReadsEveryElement) {
  const Document document = parse_doctags(
      "<title>A</title><section_header_level_3>A</section_header_level_3><paragraph>A</paragraph>"
      "<references>A</references><handwritten_text>A</handwritten_text><footnote>A</footnote>"
      "<page_header>A</page_header><page_footer>A</page_footer><caption>A</caption>"
      "<checkbox_selected>A</checkbox_selected><unordered_list></unordered_list><otsl></otsl>"
      "<document_index>A</document_index><code><_C++_>A</code><formula>A</formula><picture></picture>"
      "<chart></chart><key_value_region></key_value_region><form></form><inline></inline>");
  std::vector<std::string> kinds;
  for (const Element& element : document.pages.at(0).elements) kinds.emplace_back(kind_name(element.kind));
  EXPECT_THAT(kinds, ElementsAre("title", "heading", "paragraph", "reference", "handwritten_text", "footnote",
                                 "page_header", "page_footer", "caption", "checkbox", "list", "table",
                                 "document_index", "code", "formula", "picture", "chart", "key_values",
                                 "form", "inline_group"));
  EXPECT_EQ(document.pages[0].elements[1].level, 3);
  EXPECT_TRUE(document.pages[0].elements[9].selected);
  EXPECT_EQ(document.pages[0].elements[13].language, "C++");
  EXPECT_EQ(document.repairs, 0U);
}

TEST(DocTagsParser, ReadsTables) {
  const Document document = parse_doctags(
      "<otsl><loc_1><loc_2><loc_3><loc_4><ched>wide<lcel><ched>tall<nl><rhed>row<fcel><loc_5><loc_6><loc_7><"
      "loc_8>1"
      "<ucel><nl><srow>both<xcel><ecel><nl><xcel><xcel><fcel>2<nl><caption>C</caption></otsl>");
  const Element& element = only(document);
  ASSERT_TRUE(element.table);
  EXPECT_EQ(element.table->rows, 4);
  EXPECT_EQ(element.table->columns, 3);
  const std::vector<TableCell> cells = {
      {.row = 0, .column = 0, .column_span = 2, .column_header = true, .text = "wide"},
      {.row = 0, .column = 2, .row_span = 2, .column_header = true, .text = "tall"},
      {.row = 1, .column = 0, .row_header = true, .text = "row"},
      {.row = 1, .column = 1, .text = "1", .box = Box{5, 6, 7, 8}},
      {.row = 2, .column = 0, .row_span = 2, .column_span = 2, .row_section = true, .text = "both"},
      {.row = 3, .column = 2, .text = "2"},
  };
  EXPECT_EQ(element.table->cells, cells);
  ASSERT_EQ(element.captions.size(), 1U);
  EXPECT_EQ(element.captions[0].text, "C");
  EXPECT_EQ(element.box, (Box{1, 2, 3, 4}));
}

TEST(DocTagsParser, CrossesGoOnWithWhatHasSeveralColumns) {
  // As docling-core writes b, of two rows and columns, beside c.
  const Document document = parse_doctags("<otsl><fcel>a<fcel>b<xcel><nl><fcel>c<xcel><xcel><nl></otsl>");
  const std::vector<TableCell> cells = {{.row = 0, .column = 0, .text = "a"},
                                        {.row = 0, .column = 1, .row_span = 2, .column_span = 2, .text = "b"},
                                        {.row = 1, .column = 0, .text = "c"}};
  EXPECT_EQ(only(document).table->cells, cells);
  EXPECT_EQ(document.repairs, 0U);
}

TEST(DocTagsParser, ItemsThatHoldListsAloneAreTheirLists) {
  const Document document = parse_doctags(
      "<unordered_list><list_item>A</list_item><list_item><ordered_list><list_item>B</list_item></"
      "ordered_list>"
      "</list_item></unordered_list>");
  const Element& list = only(document);
  ASSERT_EQ(list.children.size(), 2U);
  EXPECT_EQ(list.children[1].kind, ElementKind::list);
  EXPECT_EQ(to_markdown(document), "- A\n    1. B");
}

TEST(DocTagsParser, ASecondDocumentIsAPage) {
  const Document document = parse_doctags("<doctag><text>A</text></doctag>\n<doctag><text>B</text></doctag>");
  ASSERT_EQ(document.pages.size(), 2U);
  EXPECT_EQ(document.pages[1].elements.at(0).text, "B");
}

TEST(DocLangParser, TagsAreTagsBehindAnyWords) {
  const Document document = parse_doctags("<doclang><text>A (<text>B</text></doclang>");
  ASSERT_EQ(document.pages.at(0).elements.size(), 2U);
  EXPECT_EQ(document.pages[0].elements[0].text, "A (");
}

TEST(DocLangParser, PlacesAreRoundedTo500ths) {
  const Document document = parse_doctags(
      "<doclang><text><location value=\"0\"/><location value=\"257\"/><location value=\"511\"/>"
      "<location value=\"512\"/>A</text></doclang>");
  EXPECT_EQ(only(document).box, (Box{0, 251, 499, 500}));
}

TEST(DocTagsParser, ReadsListsInLists) {
  const Document document = parse_doctags(
      "<ordered_list><list_item>A<unordered_list><list_item>B</list_item></unordered_list></list_item>"
      "<list_item>C</list_item></ordered_list>");
  const Element& list = only(document);
  EXPECT_TRUE(list.numbered);
  ASSERT_EQ(list.children.size(), 2U);
  EXPECT_EQ(list.children[0].marker, "1.");
  EXPECT_EQ(list.children[1].marker, "2.");
  EXPECT_EQ(list.children[0].children.at(0).children.at(0).text, "B");
  EXPECT_FALSE(list.children[0].children[0].numbered);
}

TEST(DocTagsParser, ReadsPicturesAndCharts) {
  const Document document = parse_doctags(
      "<picture><loc_0><loc_0><loc_9><loc_9><chemistry_structure><smiles>CCO</smiles><caption>C</caption></"
      "picture>"
      "<chart><bar_chart><ched>y<nl><fcel>1<nl></chart>");
  const std::vector<Element>& elements = document.pages.at(0).elements;
  ASSERT_EQ(elements.size(), 2U);
  EXPECT_EQ(elements[0].picture_class, "chemistry_structure");
  EXPECT_EQ(elements[0].smiles, "CCO");
  EXPECT_EQ(elements[0].captions.at(0).text, "C");
  EXPECT_EQ(elements[1].picture_class, "bar_chart");
  EXPECT_EQ(elements[1].table->rows, 2);
}

TEST(DocTagsParser, ReadsKeysAndValues) {
  const Document document = parse_doctags(
      "<key_value_region><loc_1><loc_2><loc_3><loc_4><key_0><loc_5><loc_6><loc_7><loc_8>Name<link_1><link_9><"
      "/key_0>"
      "<value_1>Ada</value_1></key_value_region>");
  const Element& element = only(document);
  const std::vector<KeyValueCell> cells = {{.id = 0, .key = true, .text = "Name", .box = Box{5, 6, 7, 8}},
                                           {.id = 1, .text = "Ada"}};
  EXPECT_EQ(element.key_values.cells, cells);
  EXPECT_THAT(element.key_values.links, ElementsAre(Pair(0, 1)));
  EXPECT_EQ(element.box, (Box{1, 2, 3, 4}));
}

TEST(DocTagsParser, ParagraphsHoldFormulasInOneLine) {
  const Document document =
      parse_doctags("<text>Let <inline><loc_1><loc_2><loc_3><loc_4><formula>x</formula></inline> be.</text>");
  const Element& text = only(document);
  EXPECT_EQ(text.text, "");
  ASSERT_EQ(text.children.size(), 1U);
  EXPECT_EQ(text.children[0].kind, ElementKind::inline_group);
  ASSERT_EQ(text.children[0].children.size(), 3U);
  EXPECT_EQ(text.children[0].children[0].text, "Let");
  EXPECT_EQ(text.children[0].children[1].kind, ElementKind::formula);
  EXPECT_EQ(text.children[0].children[2].text, "be.");
  EXPECT_EQ(text.box, (Box{1, 2, 3, 4}));
}

TEST(DocTagsParser, MalformedBytesBecomeReplacementCharacters) {
  EXPECT_EQ(only(parse_doctags("<text>A\xff\xe2\x82</text>")).text, "A\ufffd\ufffd");
}

TEST(DocTagsParser, PagesAreParted) {
  const Document document =
      parse_doctags("<doctag><text>A</text><page_break><page_break><text>B</text></doctag>");
  ASSERT_EQ(document.pages.size(), 3U);
  EXPECT_EQ(document.pages[0].elements.at(0).text, "A");
  EXPECT_TRUE(document.pages[1].elements.empty());
  EXPECT_EQ(document.pages[2].elements.at(0).text, "B");
  EXPECT_EQ(document.pages[2].number, 3);
}

TEST(DocTagsParser, BeginsAnewBehindADocument) {
  DocTagsParser parser;
  parser.push("<text>A");
  EXPECT_EQ(parser.finish().pages.at(0).elements.at(0).text, "A");
  parser.push("B</text>");
  const Document second = parser.finish();
  EXPECT_EQ(second.pages.at(0).elements.at(0).text, "B");
  EXPECT_EQ(second.warnings.at(0).offset, 0U);
}

TEST(AppendDocument, CountsPagesOn) {
  Document document;
  append(document, parse_doctags("<text>A"));
  append(document, parse_doctags("<text>B<page_break>"));
  Document far = parse_doctags("<text>C");
  far.pages[0].number = 20;
  append(document, far);
  append(document, parse_doctags("D"));
  std::vector<int> numbers;
  for (const Page& page : document.pages) numbers.push_back(page.number);
  EXPECT_THAT(numbers, ElementsAre(1, 2, 3, 20, 21));
  EXPECT_EQ(document.repairs, 4U);
  std::vector<size_t> pages;
  for (const Warning& warning : document.warnings) pages.push_back(warning.page);
  EXPECT_THAT(pages, ElementsAre(0, 1, 3, 4));
}

double probability(const std::vector<double>& logprobs) {
  double sum = 0;
  for (const double logprob : logprobs) sum += logprob;
  return std::exp(sum / static_cast<double>(logprobs.size()));
}

TEST(DocumentConfidence, IsTheMeanOverTheTokensOfAnElement) {
  DocTagsParser parser;
  const std::vector<std::pair<std::string, double>> pieces = {
      {"<doctag>", -0.1}, {"<text>", -0.2}, {"Hello", -0.3}, {"</te", -0.4},     {"xt><tit", -0.5},
      {"le>", -0.6},      {"World", -0.7},  {"", -0.8},      {"</title>", -0.9}, {"</doctag>", -1.0}};
  for (const auto& [piece, logprob] : pieces) parser.push(piece, logprob);
  const Document document = parser.finish();
  const std::vector<Element>& elements = document.pages.at(0).elements;
  ASSERT_EQ(elements.size(), 2U);
  // The token "xt><tit" has bytes of both.
  EXPECT_NEAR(elements[0].confidence.value(), probability({-0.2, -0.3, -0.4, -0.5}), 1e-12);
  EXPECT_NEAR(elements[1].confidence.value(), probability({-0.5, -0.6, -0.7, -0.8, -0.9}), 1e-12);
  EXPECT_NEAR(document.pages[0].confidence.value(),
              probability({-0.1, -0.2, -0.3, -0.4, -0.5, -0.6, -0.7, -0.8, -0.9, -1.0}), 1e-12);
}

TEST(DocumentConfidence, CellsAndKeysHaveTheirOwn) {
  DocTagsParser parser;
  for (const auto& [piece, logprob] :
       std::vector<std::pair<std::string, double>>{{"<otsl>", -1},
                                                   {"<fcel>", -2},
                                                   {"a", -4},
                                                   {"<fcel>", -1},
                                                   {"b", -2},
                                                   {"<nl>", -7},
                                                   {"</otsl>", -1},
                                                   {"<key_value_region>", -1},
                                                   {"<key_0>", -2},
                                                   {"k", -3},
                                                   {"</key_0>", -4},
                                                   {"</key_value_region>", -1}}) {
    parser.push(piece, logprob);
  }
  const Document document = parser.finish();
  const std::vector<Element>& elements = document.pages.at(0).elements;
  EXPECT_NEAR(elements.at(0).table->cells.at(0).confidence.value(), std::exp(-3.0), 1e-12);
  EXPECT_NEAR(elements.at(0).table->cells.at(1).confidence.value(), std::exp(-1.5), 1e-12);
  EXPECT_NEAR(elements.at(0).confidence.value(), std::exp(-18.0 / 7), 1e-12);
  EXPECT_NEAR(elements.at(1).key_values.cells.at(0).confidence.value(), std::exp(-3.0), 1e-12);
}

TEST(DocumentConfidence, ProbabilitiesOutOfRangeAreBounded) {
  DocTagsParser parser;
  parser.push("<text>", 5);
  parser.push("A", std::numeric_limits<double>::quiet_NaN());
  parser.push("</text>", -std::numeric_limits<double>::infinity());
  EXPECT_NEAR(only(parser.finish()).confidence.value(), std::exp(-200.0 / 3), 1e-30);
}

bool left_out(const Document& document, const std::string& limit) {
  for (const Warning& warning : document.warnings) {
    if (warning.kind == RepairKind::left_out && warning.detail == limit) return true;
  }
  return false;
}

TEST(DocumentLimits, DeepElementsKeepTheirWords) {
  const size_t depth = 5000;
  const Document document = parse_doctags(repeated("<unordered_list><list_item>A", depth));
  EXPECT_TRUE(left_out(document, "kDocumentDepth"));
  const std::string markdown = to_markdown(document);
  EXPECT_EQ(static_cast<size_t>(std::count(markdown.begin(), markdown.end(), 'A')), depth);
  const Document closed = parse_doctags(repeated("<unordered_list><list_item>", 100) + "A" +
                                        repeated("</list_item></unordered_list>", 100) + "<text>B</text>");
  EXPECT_EQ(closed.pages.at(0).elements.size(), 2U);
}

TEST(DocumentLimits, ElementsAreCounted) {
  const Document document =
      parse_doctags(repeated("<text>A</text>", static_cast<size_t>(limits::kDocumentElements) + 10));
  EXPECT_TRUE(left_out(document, "kDocumentElements"));
  EXPECT_EQ(document.pages.at(0).elements.size(), static_cast<size_t>(limits::kDocumentElements));
}

TEST(DocumentLimits, CellsAreCounted) {
  const std::string row = repeated("<fcel>", 100) + "<nl>";
  const Document document = parse_doctags("<otsl>" + repeated(row, 10'100) + "</otsl>");
  EXPECT_TRUE(left_out(document, "kDocumentCells"));
}

TEST(DocumentLimits, PlacesOfRaggedTablesAreCounted) {
  const std::string table =
      "<otsl>" + repeated("<lcel>", 2000) + "<nl>" + repeated("<fcel>A<nl>", 2000) + "</otsl>";
  const Document document = parse_doctags(repeated(table, 10));
  EXPECT_TRUE(left_out(document, "kTablePlaces"));
  int64_t places = 0;
  for (const Element& element : document.pages.at(0).elements) {
    EXPECT_LE(int64_t{element.table->rows} * element.table->columns, limits::kTablePlaces);
    places += int64_t{element.table->rows} * element.table->columns;
  }
  EXPECT_LE(places, limits::kDocumentPlaces);
}

TEST(DocumentLimits, WideTablesAreWrittenWithoutPadding) {
  const std::string wide(100'000, 'x');
  const Document document =
      parse_doctags("<otsl><fcel>" + wide + "<nl>" + repeated("<fcel>A<nl>", 10'000) + "</otsl>");
  const std::string markdown = to_markdown(document);
  EXPECT_LT(markdown.size(), 200'000U);
  EXPECT_NE(markdown.find("\n|---|\n| A |\n"), std::string::npos);
  const Document spanned = parse_doctags("<otsl><fcel>" + wide + repeated("<lcel>", 5000) + "<nl></otsl>");
  EXPECT_LT(to_markdown(spanned).size(), 300'000U);
}

TEST(DocumentLimits, BytesAreCounted) {
  DocTagsParser parser;
  const std::string megabyte(1 << 20, 'A');
  parser.push("<text>");
  for (int i = 0; i < 70; ++i) parser.push(megabyte);
  const Document document = parser.finish();
  EXPECT_TRUE(left_out(document, "kDocumentBytes"));
  EXPECT_EQ(only(document).text.size(), limits::kDocumentBytes - 6);
}

TEST(DocumentLimits, WarningsAreCounted) {
  const Document document = parse_doctags(repeated("</text>", 5000));
  EXPECT_EQ(document.warnings.size(), limits::kDocumentWarnings);
  EXPECT_EQ(document.repairs, 5000U);
}

}  // namespace
}  // namespace galago::documents
