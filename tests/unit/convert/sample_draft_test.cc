// The sample PDF read by the demo page model, with guesses and without: the same tokens, the same documents.
// Its pages are pictures; a layer of words is made of what was read.
#include <gtest/gtest.h>

#include <algorithm>

#include "convert/convert.h"
#include "convert/page_file.h"
#include "support/fixtures.h"

namespace galago::convert {
namespace {

const std::string kModel = test::data_path("../../models/demo-page");

bool poppler() { return std::system("pdfinfo -v >/dev/null 2>&1 && pdftoppm -v >/dev/null 2>&1") == 0; }

// What a page says, element by element, as a layer of words may have it.
std::vector<std::string> words_of(const std::string& doctags) {
  std::vector<std::string> texts(1);
  for (size_t i = 0; i < doctags.size(); ++i) {
    if (doctags[i] != '<') {
      texts.back() += doctags[i];
      continue;
    }
    i = std::min(doctags.find('>', i), doctags.size());
    if (!texts.back().empty()) texts.emplace_back();
  }
  return texts;
}

TEST(SampleDraft, ChangesNoToken) {
  if (!poppler()) GTEST_SKIP() << "poppler-utils is not installed";
  const Model model = Model::load(kModel, {.threads = 2});
  const auto file = PageFile::open(kModel + "/pages/sample.pdf", {});
  std::vector<Request> drafted;
  std::vector<Answer> expected;
  for (int64_t page = 1; page <= file->pages(); ++page) {
    const DrawnPage drawn = file->draw(page);
    Request request{.prompt = kQuestion, .images = {drawn.image}};
    request.options.logprobs = 0;
    expected.push_back(model.ask(request));
    request.options.draft = {.texts = words_of(expected.back().text), .answer = true, .source = {}};
    drafted.push_back(request);
    request.options.draft.texts = {"Never said. " + std::string(2000, 'x')};
    drafted.push_back(request);
  }
  int64_t accepted = 0;
  const std::vector<Outcome> outcomes = model.ask_all(drafted);
  for (size_t i = 0; i < outcomes.size(); ++i) {
    const Answer& answer = outcomes[i].value();
    const Answer& plain = expected[i / 2];
    EXPECT_EQ(answer.token_ids, plain.token_ids);
    EXPECT_EQ(answer.text, plain.text);
    ASSERT_EQ(answer.tokens.size(), plain.tokens.size());
    for (size_t k = 0; k < answer.tokens.size(); ++k)
      EXPECT_EQ(answer.tokens[k].logprob, plain.tokens[k].logprob);
    accepted += answer.usage.accepted_tokens;
  }
  EXPECT_GT(accepted, 0);
}

TEST(SampleDraft, ChangesNoDocument) {
  if (!poppler()) GTEST_SKIP() << "poppler-utils is not installed";
  const Model model = Model::load(kModel, {.threads = 2});
  const auto read = [&](bool draft, Summary& summary) {
    Options options;
    options.inputs = {kModel + "/pages/sample.pdf"};
    options.formats = {Format::json};
    options.confidence = true;
    options.pages.draft = draft;
    std::string text;
    summary = run(model, options, {.print = [&](const std::string& printed) { text += printed; }});
    return text;
  };
  Summary with, without;
  EXPECT_EQ(read(true, with), read(false, without));
  EXPECT_EQ(with.tokens, without.tokens);
  EXPECT_GT(with.drafted, 0);
  EXPECT_EQ(without.drafted, 0);
}

}  // namespace
}  // namespace galago::convert
