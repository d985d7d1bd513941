// Documents as Markdown, text, HTML and JSON: what the pages of docling-core do not show.
#include "documents/export.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <string>

#include "documents/doctags_parser.h"
#include "documents/markdown_table.h"

namespace galago::documents {
namespace {

using nlohmann::json;

const char* const kPage =
    "<page_header>H</page_header><title>A_b & "
    "c</title><ordered_list><list_item>One</list_item></ordered_list>"
    "<key_value_region><key_0>Name<link_1><link_2></key_0><value_1>Ada</value_1><value_2>Eve</value_2>"
    "<value_3>alone</value_3></key_value_region><page_break><text>Two</text><page_footer>F</page_footer>";

TEST(DocumentMarkdown, HasOptions) {
  const Document document = parse_doctags(kPage);
  EXPECT_EQ(to_markdown(document), "# A\\_b &amp; c\n\n1. One\n\nName: Ada, Eve  \nalone\n\nTwo");
  EXPECT_EQ(to_markdown(document, {.page_break = "---", .page_headers = true}),
            "H\n\n# A\\_b &amp; c\n\n1. One\n\nName: Ada, Eve  \nalone\n\n---\n\nTwo\n\nF");
  EXPECT_EQ(to_text(document), "A_b & c\n\n1. One\n\nName: Ada, Eve\nalone\n\nTwo");
}

TEST(DocumentMarkdown, HeaderRowsAreJoinedOnRequest) {
  const Document document =
      parse_doctags("<otsl><ched>Pages<lcel><nl><ched>2023<ched>2024<nl><fcel>1<fcel>2<nl></otsl>");
  EXPECT_EQ(to_markdown(document),
            "|   Pages |   Pages |\n|---------|---------|\n|    2023 |    2024 |\n|       1 |       2 |");
  EXPECT_EQ(to_markdown(document, {.join_header_rows = true}),
            "|   Pages - 2023 |   Pages - 2024 |\n|----------------|----------------|\n"
            "|              1 |              2 |");
}

TEST(DocumentMarkdown, NumbersAreThoseOfTabulate) {
  const auto number = [](std::vector<std::string_view> words) { return is_number_column(words); };
  for (const char* const word :
       {"1",   "-4",   "+5",  "1_000", "007", "1,234", "1,234,567", "1,234.5",       "1.",     ".5",
        "1e5", "1E-3", "nan", "NaN",   "inf", "-inf",  "\u0663",    "\u0663.\u0661", "1e-999", " 7 "}) {
    EXPECT_TRUE(number({word})) << word;
  }
  for (const char* const word :
       {"x",   "1,23",  "1,2345", "1e999", "+inf", "infinity", "1__0",   "_1",   "1_", "1 000", "12%",
        "--1", "1.2.3", ".",      "+",     "e5",   "0x10",     "\u00b2", "True", "",   "+.5."}) {
    EXPECT_FALSE(number({word})) << word;
  }
  EXPECT_TRUE(number({"1", "", "True"}));
  EXPECT_FALSE(number({"1", "x"}));
  EXPECT_FALSE(number({}));
  EXPECT_FALSE(number({std::string(4301, '1')}));
}

TEST(DocumentHtml, IsAPageOfItsOwn) {
  Document document = parse_doctags(
      "<text>1 < 2 & "
      "\"3\"\x01</text><unordered_list><list_item>A<ordered_list><list_item>B</list_item></ordered_list>"
      "</list_item></unordered_list><otsl><ched>C<lcel><nl><fcel>D<ecel><nl><caption>T</caption></otsl>"
      "<code><_C++_>\nint x;</code><checkbox_selected>Yes</checkbox_selected>");
  document.name = "<name>";
  EXPECT_EQ(
      to_html(document, {.whole_page = false}),
      "<section id=\"page-1\">\n"
      "<p>1 &lt; 2 &amp; &quot;3&quot;\ufffd</p>\n"
      "<ul><li>A<ol><li>B</li></ol></li></ul>\n"
      "<table><caption>T</caption><tr><th scope=\"col\" colspan=\"2\">C</th></tr><tr><td>D</td><td></td></tr>"
      "</table>\n"
      "<pre>\n<code class=\"language-C++\">\nint x;</code></pre>\n"
      "<p><input type=\"checkbox\" disabled checked> Yes</p>\n"
      "</section>\n");
  const std::string page = to_html(document);
  EXPECT_TRUE(page.starts_with("<!DOCTYPE html>\n"));
  EXPECT_NE(page.find("<title>&lt;name&gt;</title>"), std::string::npos);
}

TEST(DocumentJson, HasPlacesInPoints) {
  Document document = parse_doctags("<text><loc_50><loc_100><loc_250><loc_500>\u00e4b</text>");
  document.name = "a name";
  document.pages[0].width = 200;
  document.pages[0].height = 400;
  document.pages[0].unit = PageUnit::points;
  const json parsed = json::parse(to_json(document));
  EXPECT_EQ(parsed.at("name"), "a name");
  EXPECT_EQ(parsed.at("pages").at("1").at("size"), (json{{"width", 200.0}, {"height", 400.0}}));
  const json& prov = parsed.at("texts").at(0).at("prov").at(0);
  EXPECT_EQ(prov.at("bbox"),
            (json{{"l", 20.0}, {"t", 80.0}, {"r", 100.0}, {"b", 400.0}, {"coord_origin", "TOPLEFT"}}));
  EXPECT_EQ(prov.at("charspan"), json({0, 2}));
  EXPECT_FALSE(parsed.at("texts").at(0).contains("meta"));
}

TEST(DocumentJson, ReferencesLeadToTheirItems) {
  const json parsed =
      json::parse(to_json(parse_doctags("<unordered_list><list_item>A<unordered_list><list_item>B</"
                                        "list_item></unordered_list></list_item></unordered_list>"
                                        "<otsl><fcel>1<nl><caption>C</caption></otsl>")));
  EXPECT_EQ(parsed.at("body").at("children"),
            json::parse(R"([{"$ref":"#/groups/0"},{"$ref":"#/texts/2"},{"$ref":"#/tables/0"}])"));
  EXPECT_EQ(parsed.at("texts").at(0).at("children"), json::parse(R"([{"$ref":"#/groups/1"}])"));
  EXPECT_EQ(parsed.at("groups").at(1).at("parent"), json::parse(R"({"$ref":"#/texts/0"})"));
  EXPECT_EQ(parsed.at("tables").at(0).at("captions"), json::parse(R"([{"$ref":"#/texts/2"}])"));
  EXPECT_EQ(parsed.at("texts").at(1).at("self_ref"), "#/texts/1");
}

TEST(DocumentJson, HasConfidencesOnRequest) {
  DocTagsParser parser;
  parser.push("<text>A</text>", 0);
  const Document document = parser.finish();
  EXPECT_FALSE(json::parse(to_json(document)).at("texts").at(0).contains("meta"));
  EXPECT_EQ(json::parse(to_json(document, {.confidence = true})).at("texts").at(0).at("meta"),
            (json{{"galago__confidence", 1.0}}));
}

TEST(DocumentDocTags, AreThoseOfDocling) {
  const std::string page =
      "<doctag><title><loc_1><loc_2><loc_3><loc_4>A</"
      "title><otsl><loc_1><loc_2><loc_3><loc_4><ched>a<lcel><nl><ucel><xcel>"
      "<nl><fcel>b<ecel><nl><caption>C</caption></otsl><page_break><code><_C_>x</"
      "code><picture><loc_1><loc_2><loc_3>"
      "<loc_4><logo></picture><key_value_region><key_0>k<link_1></key_0><value_1>v</value_1></"
      "key_value_region></doctag>";
  EXPECT_EQ(to_doctags(parse_doctags(page)), page);
}

}  // namespace
}  // namespace galago::documents
