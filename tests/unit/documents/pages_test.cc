// 300 pages with every element: Markdown as docling-core makes it, the same document however the text is cut,
// and the same again from its own DocTags. tools/oracle/documents_goldens.py made the pages.
#include <gtest/gtest.h>

#include <fstream>
#include <nlohmann/json.hpp>
#include <random>
#include <string>
#include <vector>

#include "documents/doctags_parser.h"
#include "documents/export.h"

namespace galago::documents {
namespace {

struct Golden {
  std::string text;
  std::string markdown;
};

std::vector<Golden> read(const std::string& name) {
  std::ifstream file(std::string(GALAGO_TEST_DATA) + "/documents/" + name);
  std::vector<Golden> pages;
  for (const auto& row : nlohmann::json::parse(file)) pages.push_back({row.at(0), row.at(1)});
  return pages;
}

const std::vector<Golden>& goldens() {
  static const std::vector<Golden> pages = read("pages.json");
  return pages;
}

/// As the parser makes it of pieces of up to `longest` bytes.
Document cut(const std::string& text, size_t longest, unsigned seed) {
  std::mt19937 random(seed);
  DocTagsParser parser;
  for (size_t at = 0; at < text.size();) {
    const size_t length = 1 + random() % longest;
    parser.push(std::string_view(text).substr(at, length));
    at += length;
  }
  return parser.finish();
}

TEST(DocumentPages, MarkdownIsThatOfDocling) {
  ASSERT_EQ(goldens().size(), 300U);
  for (const Golden& golden : goldens()) {
    const Document document = parse_doctags(golden.text);
    EXPECT_EQ(to_markdown(document, {.key_values = false}), golden.markdown) << golden.text;
    EXPECT_EQ(document.repairs, 0U) << golden.text;
  }
}

TEST(DocumentPages, DocLangIsReadAsDoclingReadsIt) {
  const std::vector<Golden> pages = read("doclang.json");
  ASSERT_EQ(pages.size(), 100U);
  for (const Golden& golden : pages) {
    const Document document = parse_doctags(golden.text);
    EXPECT_EQ(to_markdown(document, {.key_values = false}), golden.markdown) << golden.text;
    EXPECT_EQ(document.repairs, 0U) << golden.text;
    for (const size_t longest : {1, 3, 40}) ASSERT_EQ(cut(golden.text, longest, 7), document) << golden.text;
  }
}

TEST(DocumentPages, CutsChangeNothing) {
  for (const Golden& golden : goldens()) {
    const Document whole = parse_doctags(golden.text);
    for (const size_t longest : {1, 3, 40}) ASSERT_EQ(cut(golden.text, longest, 7), whole) << golden.text;
  }
}

TEST(DocumentPages, DocTagsBringTheSameAgain) {
  for (const Golden& golden : goldens()) {
    const Document document = parse_doctags(golden.text);
    ASSERT_EQ(parse_doctags(to_doctags(document)).pages, document.pages) << golden.text;
  }
}

TEST(DocumentPages, ExportsAreWellFormed) {
  for (const Golden& golden : goldens()) {
    const Document document = parse_doctags(golden.text);
    const auto json = nlohmann::json::parse(to_json(document));
    EXPECT_EQ(json.at("schema_name"), "DoclingDocument");
    EXPECT_EQ(json.at("pages").size(), document.pages.size());
    EXPECT_EQ(to_html(document).find("http"), std::string::npos);
  }
}

}  // namespace
}  // namespace galago::documents
