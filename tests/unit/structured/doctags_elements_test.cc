// Elements of an answer and how sure the model was of them.
#include "structured/doctags_elements.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "galago/error.h"
#include "unit/structured/doctags_vocabularies.h"

namespace galago {
namespace {

using doctags_test::whole_tags;
using doctags_test::Words;

/// "name begin-end depth" of each element; token i has log probability -i and margin 2 i.
std::vector<std::string> extents(const Words& words, const std::string& text) {
  const std::vector<int32_t> ids = words.ids(text);
  std::vector<float> logprobs, margins;
  for (size_t i = 0; i < ids.size(); ++i) {
    logprobs.push_back(-static_cast<float>(i));
    margins.push_back(2 * static_cast<float>(i));
  }
  std::vector<std::string> found;
  for (const AnswerElement& element : elements(*words.vocabulary, ids, logprobs, margins)) {
    found.push_back(element.name + " " + std::to_string(element.begin) + "-" + std::to_string(element.end) +
                    " " + std::to_string(element.depth));
    // All tokens of the element, those within others in it too.
    const double middle = static_cast<double>(element.begin + element.end - 1) / 2;
    EXPECT_EQ(element.confidence.tokens, element.end - element.begin);
    EXPECT_DOUBLE_EQ(element.confidence.mean_logprob, -middle);
    EXPECT_DOUBLE_EQ(element.confidence.min_logprob, -static_cast<double>(element.end - 1));
    EXPECT_DOUBLE_EQ(element.confidence.margin, 2 * middle);
  }
  return found;
}

using Found = std::vector<std::string>;

TEST(DocTagsElements, HaveTheirTokens) {
  const Words words = whole_tags();
  EXPECT_EQ(
      extents(words,
              "<doctag><text><loc_1><loc_2><loc_3><loc_4>Hello</text><title>Hello world</title></doctag>"),
      (Found{"text 1-8 0", "title 8-12 0"}));
  EXPECT_EQ(
      extents(
          words,
          "<doctag><ordered_list>\n<list_item>Hello<formula>1</formula></list_item></ordered_list></doctag>"),
      (Found{"ordered_list 1-10 0", "list_item 3-9 1", "formula 5-8 2"}));
  EXPECT_EQ(
      extents(words, "<doctag><otsl><caption>Hello</caption><fcel>1<nl></otsl></doctag><end_of_utterance>"),
      (Found{"otsl 1-9 0", "caption 2-5 1"}));
  EXPECT_EQ(extents(words, "<formula>1</formula><end_of_utterance>"), Found{"formula 0-3 0"});
}

TEST(DocTagsElements, AnswersInWordsHaveNone) {
  const Words words = whole_tags();
  EXPECT_EQ(extents(words, "Hello world<end_of_utterance>"), Found{});
  EXPECT_EQ(extents(words, "<doctag></doctag>"), Found{});
  EXPECT_EQ(extents(words, ""), Found{});
}

TEST(DocTagsElements, AreFoundWhereNothingWasLegal) {
  const Words words = whole_tags();
  EXPECT_EQ(extents(words, "<doctag><text>Hello"), Found{"text 1-3 0"});
  EXPECT_EQ(extents(words, "<doctag><text>Hello</doctag>Hello"), Found{"text 1-3 0"});
  EXPECT_EQ(extents(words, "</text></doctag><text></title></text>"), Found{"text 2-5 0"});
  EXPECT_EQ(extents(words, "<ordered_list><list_item><text>a</ordered_list>b<text>"),
            (Found{"ordered_list 0-5 0", "list_item 1-4 1", "text 2-4 2", "text 6-7 0"}));
  EXPECT_EQ(extents(words, "<text><text>a</text>b</text>"), (Found{"text 0-6 0", "text 1-4 1"}));
}

TEST(DocTagsElements, AnyIdsWillDo) {
  const Words words = whole_tags();
  const std::vector<int32_t> ids = {-1, 1 << 30, words.id("<text>"), -7, words.id("<image>")};
  const std::vector<float> numbers(ids.size(), -1);
  const std::vector<AnswerElement> found = elements(*words.vocabulary, ids, numbers, numbers);
  ASSERT_EQ(found.size(), 1U);
  EXPECT_EQ(found[0].begin, 2);
  EXPECT_EQ(found[0].end, 5);
  EXPECT_THROW(elements(*words.vocabulary, ids, std::span(numbers).first(4), numbers), Error);
  EXPECT_THROW(elements(*words.vocabulary, ids, numbers, std::span(numbers).first(4)), Error);

  // Thousands that are never closed: every token belongs to all of them, and still the time is linear.
  const std::vector<int32_t> open(200000, words.id("<text>"));
  const std::vector<float> more(open.size(), -2);
  const std::vector<AnswerElement> nested = elements(*words.vocabulary, open, more, more);
  ASSERT_EQ(nested.size(), open.size());
  EXPECT_EQ(nested[0].confidence.tokens, static_cast<int64_t>(open.size()));
  EXPECT_EQ(nested[0].confidence.mean_logprob, -2);
}

TEST(DocTagsElements, NoTokensHaveNoConfidence) {
  const Confidence none = confidence({}, {});
  EXPECT_EQ(none.tokens, 0);
  EXPECT_EQ(none.mean_logprob, 0);
  const std::vector<float> logprobs = {-0.5F, -1.5F, -1}, margins = {3, -1, 1};
  const Confidence some = confidence(logprobs, margins);
  EXPECT_EQ(some.tokens, 3);
  EXPECT_DOUBLE_EQ(some.mean_logprob, -1);
  EXPECT_DOUBLE_EQ(some.min_logprob, -1.5);
  EXPECT_DOUBLE_EQ(some.margin, 1);
}

}  // namespace
}  // namespace galago
