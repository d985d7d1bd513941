// The flags of an answer from the outside: its form, log probabilities, end tokens, several answers.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

#include "program.h"

namespace galago::test {
namespace {

using testing::AllOf;
using testing::AnyOf;
using testing::HasSubstr;
using Words = std::vector<std::string>;

Words ask(const Words& more) {
  return Words{"run", "-m", tiny(), "-i", picture("shapes_100x80.png"), "-p", "What is this?", "-n", "6"} +
         more;
}

Json answer(const Words& more) {
  const Finished done = galago(ask(more + Words{"--json"}));
  EXPECT_EQ(done.code, 0) << done.err;
  return done.code == 0 ? done.json() : Json::object();
}

TEST(AnswerFlags, LogprobsAreInTheJson) {
  const Json plain = answer({}), json = answer({"--logprobs", "2", "--prompt-logprobs", "0"});
  EXPECT_FALSE(plain.contains("tokens") || plain.contains("confidence"));
  EXPECT_EQ(json["token_ids"], plain["token_ids"]);
  ASSERT_EQ(json["tokens"].size(), json["token_ids"].size());
  EXPECT_EQ(json["prompt_tokens"].size(), json["prompt_token_ids"].size());
  for (size_t i = 0; i < json["tokens"].size(); ++i) {
    const Json& token = json["tokens"][i];
    EXPECT_EQ(token["id"], json["token_ids"][i]);
    ASSERT_EQ(token["top"].size(), 2U);
    EXPECT_EQ(token["top"][0]["id"], token["id"]) << "greedy";
    EXPECT_EQ(token["top"][0]["logprob"], token["logprob"]);
    EXPECT_LE(token["top"][1]["logprob"], token["logprob"]);
    EXPECT_TRUE(token["bytes"].is_array() && token["text"].is_string());
  }
  EXPECT_LE(json["confidence"]["mean_logprob"].get<double>(), 0);
  EXPECT_TRUE(json["prompt_tokens"][0]["top"].empty());
}

TEST(AnswerFlags, LogprobsAreATableForPeople) {
  const Finished plain = galago(ask({})), done = galago(ask({"--logprobs", "3"}));
  EXPECT_EQ(done.code, 0) << done.err;
  EXPECT_EQ(done.out, plain.out) << "the answer alone";
  EXPECT_THAT(done.err,
              AllOf(HasSubstr("id"), HasSubstr("probability"), HasSubstr("likeliest"), HasSubstr("%")));
}

TEST(AnswerFlags, ChoicesAreTheOnlyAnswers) {
  for (const Words& words : {Words{"--choices", "yes, no"}, Words{"--choice", "yes", "--choice", "no"}})
    EXPECT_THAT(answer(words)["text"].get<std::string>(), AnyOf("yes", "no"));
  EXPECT_EQ(answer({"--choice", "a, b"})["text"], "a, b");
}

TEST(AnswerFlags, FormsHold) {
  const Finished first = galago(ask({"--regex", "[0-9]{3}", "--json"}));
  if (first.code == 78) GTEST_SKIP() << first.err;
  ASSERT_EQ(first.code, 0) << first.err;
  EXPECT_THAT(first.json()["text"].get<std::string>(), testing::MatchesRegex("[0-9][0-9][0-9]"));
  EXPECT_EQ(answer({"--grammar", "root ::= \"x\" \"y\""})["text"], "xy");
  const TempDir folder;
  const std::string schema =
      folder.add("s.json", R"({"type": "object", "properties": {"a": {"type": "boolean"}},
      "required": ["a"], "additionalProperties": false})");
  const Json object = Json::parse(answer({"--json-schema", schema, "-n", "40"})["text"].get<std::string>());
  EXPECT_TRUE(object["a"].is_boolean());
  EXPECT_EQ(galago(ask({"--json-schema", "{\"type\": 3}"})).code, 65);
  EXPECT_EQ(galago(ask({"--regex", "("})).code, 65);
}

TEST(AnswerFlags, EndTokensAndTexts) {
  const Json plain = answer({});
  const std::string second = std::to_string(plain["token_ids"][1].get<int>());
  EXPECT_EQ(answer({"--stop-token-id", second})["token_ids"].size(), 2U);
  EXPECT_EQ(answer({"--ignore-eos", "-n", "30"})["token_ids"].size(), 30U);
  EXPECT_GE(answer({"--min-new-tokens", "6"})["token_ids"].size(), 6U);
  const std::string first = std::to_string(plain["token_ids"][0].get<int>());
  for (const Words& words : {Words{"--suppress-token", first}, Words{"--logit-bias", first + ":-100"}})
    EXPECT_NE(answer(words)["token_ids"][0], plain["token_ids"][0]);
  EXPECT_EQ(answer({"--logit-bias", "300:100", "--logit-bias", "301:-1"})["token_ids"][0], 300);
  std::string text = plain["text"];
  EXPECT_EQ(answer({"--bad-word", text})["text"] == text, false);
}

TEST(AnswerFlags, SeveralAnswersHaveTheirOwnSeeds) {
  const Words sampled = {"--temp", "1.5", "--seed", "7"};
  const Json list = answer(sampled + Words{"--answers", "3"})["answers"];
  ASSERT_EQ(list.size(), 3U);
  for (size_t i = 0; i < 3; ++i) {
    EXPECT_EQ(list[i]["seed"], 7 + i);
    EXPECT_EQ(list[i]["text"], answer({"--temp", "1.5", "--seed", std::to_string(7 + i)})["text"]);
  }
  const Finished plain = galago(ask({"--answers", "2"}));
  EXPECT_THAT(plain.out, AllOf(HasSubstr("> answer 1 of 2\n"), HasSubstr("> answer 2 of 2\n")));
  EXPECT_THAT(plain.err, HasSubstr("all answers are the same"));
}

TEST(AnswerFlags, WhatTheLibraryRefusesIsToldByItsFlag) {
  const std::pair<Words, const char*> rows[] = {
      {{"--answers", "0"}, "--answers"},
      {{"--answers", "129"}, "--answers"},
      {{"--answers", "2", "-p", "x"}, "--answers"},
      {{"--logprobs", "21"}, "--logprobs: got 21"},
      {{"--prompt-logprobs", "-1"}, "--prompt-logprobs: got -1"},
      {{"--frequency-penalty", "2.5"}, "--frequency-penalty: got 2.5"},
      {{"--presence-penalty", "-3"}, "--presence-penalty: got -3"},
      {{"--typical-p", "0"}, "--typical-p: got 0"},
      {{"--epsilon-cutoff", "1"}, "--epsilon-cutoff: got 1"},
      {{"--eta-cutoff", "-1"}, "--eta-cutoff: got -1"},
      {{"--no-repeat-ngram-size", "-1"}, "--no-repeat-ngram-size: got -1"},
      {{"--min-new-tokens", "-1"}, "--min-new-tokens: got -1"},
      {{"--logit-bias", "1:101"}, "--logit-bias: got 101"},
      {{"--logit-bias", "100000:1"}, "--logit-bias"},
      {{"--suppress-token", "100000"}, "--suppress-token"},
      {{"--stop-token-id", "100000"}, "--stop-token-id"}};
  for (const auto& [words, says] : rows) {
    const Finished done = galago(ask(words));
    EXPECT_EQ(done.code, 64) << says << done.err;
    EXPECT_THAT(done.err, HasSubstr(says));
  }
}

}  // namespace
}  // namespace galago::test
