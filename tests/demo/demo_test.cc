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

/// How many answers are transformers', token by token, and how many are right.
struct Outcome {
  size_t asked = 0, same = 0, right = 0;
};

Outcome ask_all(LoadOptions load, bool every_one_the_same) {
  load.threads = 1;
  const Model model = Model::load(std::string(GALAGO_SOURCE_DIR) + "/models/demo", load);
  Outcome outcome;
  std::map<std::string, Image> pictures;
  for (const Question& question : questions()) {
    auto picture = pictures.find(question.picture);
    if (picture == pictures.end())
      picture = pictures.emplace(question.picture, Image::open(kData + question.picture)).first;
    Request request{.prompt = question.text, .images = {picture->second}};
    request.options.max_new_tokens = 32;
    const Answer answer = model.ask(request);
    if (every_one_the_same) {
      EXPECT_EQ(answer.token_ids, question.ids) << question.picture << ": " << question.text;
    }
    ++outcome.asked;
    outcome.same += answer.token_ids == question.ids;
    outcome.right += answer.text == " " + question.expected;  // the first token begins with a space
  }
  testing::Test::RecordProperty("same_as_transformers", static_cast<int>(outcome.same));
  testing::Test::RecordProperty("right", static_cast<int>(outcome.right));
  return outcome;
}

TEST(DemoModel, AnswersTheHeldOutQuestionsAsTransformersDoes) {
  const Outcome outcome = ask_all({}, true);
  ASSERT_EQ(outcome.asked, 500u);
  EXPECT_EQ(outcome.same, outcome.asked);
  EXPECT_GE(outcome.right, outcome.asked * 9 / 10) << "the demo model's bar";
}

TEST(DemoModel, WeightsOfEightBitsKeepTheAnswers) {
  const Outcome outcome = ask_all({.dtype = WeightDtype::q8}, false);
  ASSERT_EQ(outcome.asked, 500u);
  EXPECT_GE(outcome.same, outcome.asked * 99 / 100);
}

TEST(DemoModel, WeightsOfFourBitsKeepMostAnswers) {
  const Outcome outcome = ask_all({.dtype = WeightDtype::q4}, false);
  ASSERT_EQ(outcome.asked, 500u);
  EXPECT_GE(outcome.same, outcome.asked * 9 / 10);
}

TEST(DemoModel, ProductsOfWholeNumbersKeepTheAnswers) {
  for (const WeightDtype dtype : {WeightDtype::as_stored, WeightDtype::q8}) {
    const Outcome outcome = ask_all({.dtype = dtype, .compute = ComputeDtype::int8}, false);
    ASSERT_EQ(outcome.asked, 500u);
    EXPECT_GE(outcome.same, outcome.asked * 99 / 100) << to_string(dtype);
  }
}

}  // namespace
}  // namespace galago
