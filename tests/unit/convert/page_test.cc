// Ranges of pages, what is wrong with an answer, and records that give pages back.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <sstream>

#include "convert/join_pages.h"
#include "convert/page_range.h"
#include "convert/page_record.h"
#include "convert/text_draft.h"
#include "convert/text_layer.h"
#include "core/clock.h"
#include "documents/doctags_parser.h"
#include "documents/export.h"
#include "support/fixtures.h"

namespace galago::convert {
namespace {

using test::error_of;
using testing::ElementsAre;
using testing::HasSubstr;

std::vector<int64_t> among_nine(const std::string& text) {
  const PageRange range = PageRange::parse(text);
  std::vector<int64_t> pages;
  for (int64_t page = 1; page <= 9; ++page)
    if (range.has(page)) pages.push_back(page);
  return pages;
}

TEST(PageRange, ReadsNumbersAndSpans) {
  EXPECT_THAT(among_nine("3"), ElementsAre(3));
  EXPECT_THAT(among_nine("2-4"), ElementsAre(2, 3, 4));
  EXPECT_THAT(among_nine("8-"), ElementsAre(8, 9));
  EXPECT_THAT(among_nine("-2"), ElementsAre(1, 2));
  EXPECT_THAT(among_nine("7-,1,1-2"), ElementsAre(1, 2, 7, 8, 9));
  EXPECT_TRUE(PageRange().has(1'000'000));
  for (const char* bad :
       {"", ",", "0", "-", "3-2", "a", "1,", "1--2", "1.5", "99999999999999999999", " 1", "+1", "-0"})
    EXPECT_EQ(error_of([&] { PageRange::parse(bad); }).code(), ErrorCode::usage) << bad;
}

PdfWord word(const std::string& text, double left, double top, double height = 0.02) {
  return {.text = text,
          .left = left,
          .top = top,
          .right = left + 0.01 * static_cast<double>(text.size()),
          .bottom = top + height};
}

TEST(DraftTexts, AreWhatLooksLikeElements) {
  const std::vector<PdfWord> words = {
      word("A", 0.1, 0.05, 0.04), word("Title", 0.13, 0.05, 0.04), word("A", 0.1, 0.12),
      word("para-", 0.13, 0.12),  word("graph", 0.1, 0.145),       word("of", 0.16, 0.145),
      word("lines", 0.19, 0.145), word("Another", 0.1, 0.22),      word("T-", 0.1, 0.245),
      word("Shirt", 0.1, 0.27),   word("cell", 0.1, 0.4),          word("far", 0.5, 0.4),
      word("top", 0.6, 0.1),      word("\xff", 0.65, 0.1),         word("of", 0.64, 0.1),
      word("column", 0.67, 0.1)};
  EXPECT_THAT(draft_texts(words), ElementsAre("A Title", "A paragraph of lines", "Another T- Shirt", "cell",
                                              "far", "top of column"));
  EXPECT_TRUE(draft_texts({}).empty());
  const std::vector<PdfWord> many(100'000, word(std::string(50, 'a'), 0.1, 0.1));
  size_t bytes = 0;
  for (const std::string& text : draft_texts(many)) bytes += text.size();
  EXPECT_LE(bytes, size_t{1} << 20);
}

PageProblem problem(const std::string& doctags, FinishReason finish = FinishReason::stop) {
  return find_problem(documents::parse_doctags(doctags), finish);
}

std::string repeated(const std::string& text, int times) {
  std::string all;
  for (int i = 0; i < times; ++i) all += text;
  return all;
}

TEST(PageProblem, IsFound) {
  EXPECT_EQ(problem("<doctag><text>Words</text></doctag>"), PageProblem::none);
  EXPECT_EQ(problem("Words alone"), PageProblem::none);
  EXPECT_EQ(problem("<doctag><picture><loc_1><loc_1><loc_9><loc_9></picture></doctag>"), PageProblem::none);
  EXPECT_EQ(problem("<doctag><otsl><fcel>1<nl></otsl></doctag>"), PageProblem::none);
  for (const char* nothing : {"", "<doctag></doctag>", "<doctag><text></text></doctag>",
                              "<doctag><otsl><ecel><nl></otsl></doctag>"})
    EXPECT_EQ(problem(nothing), PageProblem::empty) << nothing;
  EXPECT_EQ(problem("<doctag><text>Words", FinishReason::length), PageProblem::cut);
  EXPECT_EQ(problem("", FinishReason::length), PageProblem::cut);
}

TEST(PageProblem, LoopsAreWhatDoclingStopsAt) {
  const std::string line = "<text>The same words again</text>";
  EXPECT_EQ(problem("<doctag>" + repeated(line, 3) + "</doctag>"), PageProblem::loop);
  EXPECT_EQ(problem("<doctag>" + repeated(line, 3), FinishReason::length), PageProblem::loop);
  EXPECT_EQ(problem("<doctag>" + repeated(line, 2) + "</doctag>"), PageProblem::none);
  EXPECT_EQ(problem("<doctag>" + repeated("<text>Yes</text>", 9) + "</doctag>"), PageProblem::none)
      << "short";
  EXPECT_EQ(problem("<doctag><unordered_list>" + repeated("<list_item>one and the same</list_item>", 3) +
                    "</unordered_list></doctag>"),
            PageProblem::loop);
  EXPECT_EQ(problem("<text>Well, " + repeated("and on ", 16) + "</text>"), PageProblem::loop);
  EXPECT_EQ(problem("<text>Well, " + repeated("and on ", 15) + "</text>"), PageProblem::none);
  EXPECT_EQ(problem("<text>Contents " + repeated(".", 31) + "</text>"), PageProblem::none)
      << "a line of dots";
  EXPECT_EQ(problem("<text>" + repeated("0123456789", 32) +
                    repeated(std::string(310, 'x') + "0123456789", 16) + "</text>"),
            PageProblem::loop);
}

TEST(PageRecord, GivesThePageBack) {
  Answer answer;
  answer.finish_reason = FinishReason::stop;
  for (const auto& [bytes, logprob] : std::vector<std::pair<std::string, double>>{{"<doctag>", 0},
                                                                                  {"<text>", -0.1},
                                                                                  {"Hello", -0.3},
                                                                                  {"</text>", 0},
                                                                                  {"</doctag>", 0},
                                                                                  {"<end>", -9}}) {
    TokenLogprobs token;
    token.bytes = bytes;
    token.logprob = logprob;
    answer.tokens.push_back(token);
    if (bytes != "<end>") answer.text += bytes;
  }
  const documents::Document read = read_page(answer);
  const double confidence = *read.pages.at(0).elements.at(0).confidence;
  EXPECT_NEAR(confidence, std::exp(-0.4 / 3), 1e-9);
  PageRecord record{.file = "a/b.pdf",
                    .page = 3,
                    .pages = 7,
                    .width = 595.5,
                    .height = 842,
                    .unit = documents::PageUnit::points};
  record.doctags = answer.text;
  record.confidences = confidences_of(read);
  record.confidence = 0.875;
  record.problem = PageProblem::cut;
  record.attempts = 2;
  record.retried = "so";
  record.tokens = 5;
  const PageRecord again = read_record(to_line(record));
  EXPECT_EQ(to_line(again), to_line(record));
  const documents::Document back = read_page(again);
  ASSERT_EQ(back.pages.size(), 1U);
  const documents::Page& page = back.pages[0];
  EXPECT_EQ(page.number, 3);
  EXPECT_EQ(page.width, 595.5);
  EXPECT_EQ(page.unit, documents::PageUnit::points);
  EXPECT_EQ(page.confidence, 0.875);
  EXPECT_NEAR(*page.elements.at(0).confidence, confidence, 1e-4);
  EXPECT_EQ(page.elements[0].text, "Hello");
}

TEST(PageRecord, TokensThatAreNotTheTextGiveNoConfidence) {
  Answer answer;
  answer.text = "<text>Hello</text>";
  TokenLogprobs token;
  token.bytes = "<text>Other</text>";
  answer.tokens.push_back(token);
  EXPECT_FALSE(read_page(answer).pages.at(0).elements.at(0).confidence);
  EXPECT_TRUE(confidences_of(read_page(answer)).empty());
}

TEST(PageRecord, OfAnErrorSaysWhy) {
  const PageRecord base{.file = "a.pdf", .page = 2, .pages = 2};
  const PageRecord again =
      read_record(to_line(base, Error(ErrorCode::input_invalid, {.where = "a.pdf", .got = "nothing"})));
  EXPECT_EQ(again.page, 2);
  EXPECT_THAT(again.error, HasSubstr("nothing"));
  for (const char* bad :
       {"", "{}", "[]", "{\"file\":1}", "{\"file\":\"a\",\"page\":1,\"pages\":1}", "nonsense"})
    EXPECT_EQ(error_of([&] { read_record(bad); }).code(), ErrorCode::input_invalid) << bad;
}

TEST(PageRecord, TwoPagesOfOneAnswerAreOne) {
  const PageRecord record{.file = "a",
                          .page = 4,
                          .pages = 9,
                          .doctags = "<doctag><text>a</text><page_break><text>b</text></doctag>"};
  const documents::Document document = read_page(record);
  ASSERT_EQ(document.pages.size(), 1U);
  EXPECT_EQ(document.pages[0].elements.size(), 2U);
}

// Words of a line of text each, 0.02 of the page high, one below the other.
std::vector<PdfWord> layer(const std::vector<std::string>& lines) {
  std::vector<PdfWord> words;
  double top = 0.1;
  for (const std::string& line : lines) {
    std::istringstream in(line);
    double left = 0.1;
    for (std::string word; in >> word; left += 0.05)
      words.push_back({word, left, top, left + 0.04, top + 0.02});
    top += 0.03;
  }
  return words;
}

std::string after(const std::string& element, const std::vector<std::string>& lines) {
  documents::Document document = documents::parse_doctags("<doctag>" + element + "</doctag>");
  correct(document.pages[0], layer(lines));
  return document.pages[0].elements.at(0).text;
}

TEST(TextLayer, CorrectsWhatIsNearlyTheSameInTheSamePlace) {
  const std::string box = "<loc_40><loc_40><loc_460><loc_120>";
  EXPECT_EQ(after("<text>" + box + "Tne quick brovvn fox</text>", {"The quick brown fox"}),
            "The quick brown fox");
  EXPECT_EQ(after("<text>" + box + "Something else entirely</text>", {"The quick brown fox"}),
            "Something else entirely");
  EXPECT_EQ(after("<text>Tne quick brovvn fox</text>", {"The quick brown fox"}), "Tne quick brovvn fox")
      << "no box";
  EXPECT_EQ(
      after("<text><loc_40><loc_300><loc_460><loc_400>Tne quick brovvn fox</text>", {"The quick brown fox"}),
      "Tne quick brovvn fox")
      << "elsewhere";
  EXPECT_EQ(after("<code>" + box + "x = l0</code>", {"x = 10"}), "x = l0");
  EXPECT_EQ(after("<text>" + box + "A hyphenatlon of words</text>", {"A hyphena-", "tion of words"}),
            "A hyphenation of words");
  EXPECT_EQ(after("<text>" + box + "A hyphenation of wonds</text>", {"A hyphena-", "tion of words"}),
            "A hyphenation of words");
  EXPECT_EQ(after("<text>" + box + "A well-known flsh</text>", {"A well-", "known fish"}),
            "A well-known fish");
  EXPECT_EQ(after("<section_header_level_1>" + box + "Resu1ts</section_header_level_1>", {"Results"}),
            "Results");
}

TEST(TextLayer, CorrectsItemsOfLists) {
  documents::Document document = documents::parse_doctags(
      "<doctag><unordered_list><list_item><loc_40><loc_40><loc_460><loc_60>f1rst</"
      "list_item><list_item><loc_40><loc_62><loc_460><loc_80>second"
      "</list_item></unordered_list></doctag>");
  EXPECT_EQ(correct(document.pages[0], layer({"first", "second"})), 1);
  EXPECT_EQ(document.pages[0].elements.at(0).children.at(0).text, "first");
}

TEST(TextLayer, ReadsNoMoreWordsThanItCompares) {
  documents::Document document = documents::parse_doctags(
      "<doctag><text><loc_0><loc_0><loc_500><loc_500>A few words of a page</text></doctag>");
  std::vector<PdfWord> words;
  for (int i = 0; i < 200'000; ++i) words.push_back(word("x-", 0.1, 0.1 + 4e-6 * i, 1e-6));
  const Clock clock;
  EXPECT_EQ(correct(document.pages[0], words), 0);
  EXPECT_LT(clock.ms(), 1000);
}

// Pages of DocTags, joined: their Markdown with | between pages.
std::string joined(const std::string& doctags) {
  documents::Document document = documents::parse_doctags("<doctag>" + doctags + "</doctag>");
  join_pages(document);
  return documents::to_markdown(document, {.page_break = "|"});
}

TEST(JoinPages, Paragraphs) {
  EXPECT_EQ(
      joined(
          "<text>It goes</text><page_footer>1</page_footer><page_break><page_header>h</page_header><text>on "
          "here.</text><text>New</text>"),
      "It goes on here.\n\n|\n\nNew");
  EXPECT_EQ(joined("<text>A hyphen-</text><page_break><text>ation</text>"), "A hyphenation");
  EXPECT_EQ(joined("<text>One</text><page_break><text>two</text><page_break><text>three.</"
                   "text><page_break><text>four</text>"),
            "One two three.\n\n|\n\nfour");
  for (const char* apart :
       {"<text>It ends.</text><page_break><text>on</text>", "<text>It</text><page_break><text>On</text>",
        "<text>It</text><page_break><title>on</title>", "<title>It</title><page_break><text>on</text>"})
    EXPECT_THAT(joined(apart), HasSubstr("|")) << apart;
}

TEST(JoinPages, Lists) {
  EXPECT_EQ(joined("<unordered_list><list_item>a</list_item></"
                   "unordered_list><page_break><unordered_list><list_item>b</list_item></unordered_list>"),
            "- a\n- b");
  EXPECT_THAT(joined("<unordered_list><list_item>a</list_item></"
                     "unordered_list><page_break><ordered_list><list_item>b</list_item></ordered_list>"),
              HasSubstr("|"));
  const std::string list = "<ordered_list><list_item>a</list_item></ordered_list>";
  const std::string two = "<doctag>" + list + "<page_break>" + list + "</doctag>";
  for (const auto& [marker, joins] : {std::pair("2.", 1), {"1.", 0}, {"-2147483648.", 0}, {"x", 0}}) {
    documents::Document document = documents::parse_doctags(two);
    document.pages[1].elements[0].children[0].marker = marker;
    EXPECT_EQ(join_pages(document), joins) << marker;
  }
}

TEST(JoinPages, Tables) {
  const std::string head = "<ched>x<ched>y<nl>", end = "</otsl>";
  const std::string first = "<otsl>" + head + "<fcel>1<fcel>2<nl>" + end + "<page_break>";
  documents::Document once = documents::parse_doctags("<doctag>" + first + "<otsl>" + head +
                                                      "<fcel>3<fcel>4<nl>" + end + "</doctag>");
  EXPECT_EQ(join_pages(once), 1);
  const documents::Table& table = *once.pages.at(0).elements.at(0).table;
  EXPECT_EQ(table.rows, 3);
  EXPECT_EQ(table.cells.back().row, 2);
  EXPECT_EQ(table.cells.back().text, "4");
  EXPECT_TRUE(once.pages.at(1).elements.empty());
  documents::Document rows =
      documents::parse_doctags("<doctag>" + first + "<otsl><fcel>3<fcel>4<nl>" + end + "</doctag>");
  EXPECT_EQ(join_pages(rows), 1);
  EXPECT_EQ(rows.pages.at(0).elements.at(0).table->rows, 3);
  for (const char* apart :
       {"<otsl><fcel>3<nl></otsl>", "<otsl><caption>Another</caption><fcel>3<fcel>4<nl></otsl>"}) {
    documents::Document two = documents::parse_doctags("<doctag>" + first + apart + "</doctag>");
    EXPECT_EQ(join_pages(two), 0) << apart;
  }
}

}  // namespace
}  // namespace galago::convert
