// The demo model's held-out questions: our tokens against transformers' (float32), and the share of right
// answers. Data: tests/data/demo/answers.jsonl and its pictures, written by tools/demo_model/evaluate.py.
#include <gtest/gtest.h>

#include <fstream>
#include <map>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "galago/galago.h"

namespace galago {
namespace {

struct Question {
  std::string picture, text, expected;
  std::vector<int32_t> ids;  // transformers' answer
};

const std::string kData = std::string(GALAGO_TEST_DATA) + "/demo/";

std::vector<Question> questions() {
  std::vector<Question> all;
  std::ifstream file(kData + "answers.jsonl");
  for (std::string line; std::getline(file, line);) {
    const auto row = nlohmann::json::parse(line);
    all.push_back({row.at("picture"), row.at("question"), row.at("expected"), row.at("ids")});
  }
  return all;
}

TEST(DemoModel, AnswersTheHeldOutQuestionsAsTransformersDoes) {
  const Model model = Model::load(std::string(GALAGO_SOURCE_DIR) + "/models/demo", {.threads = 1});
  const std::vector<Question> all = questions();
  ASSERT_EQ(all.size(), 500u);
  std::map<std::string, Image> pictures;
  size_t same = 0;
  size_t right = 0;
  for (const Question& question : all) {
    auto picture = pictures.find(question.picture);
    if (picture == pictures.end())
      picture = pictures.emplace(question.picture, Image::open(kData + question.picture)).first;
    Request request{.prompt = question.text, .images = {picture->second}};
    request.options.max_new_tokens = 32;
    const Answer answer = model.ask(request);
    EXPECT_EQ(answer.token_ids, question.ids) << question.picture << ": " << question.text;
    same += answer.token_ids == question.ids;
    right += answer.text == " " + question.expected;  // the first token begins with a space
  }
  RecordProperty("same_as_transformers", static_cast<int>(same));
  RecordProperty("right", static_cast<int>(right));
  EXPECT_EQ(same, all.size());
  EXPECT_GE(right, all.size() * 9 / 10) << "the demo model's bar";
}

}  // namespace
}  // namespace galago
