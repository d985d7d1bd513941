// The flags of an answer: each reaches the library's option that it names, files and texts are told apart,
// and what contradicts itself is refused.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>
#include <iterator>
#include <sstream>

#include "answer_flags.h"
#include "app.h"
#include "arguments.h"
#include "flags.h"
#include "serve_flags.h"
#include "support/fixtures.h"

namespace galago::cli {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using Words = std::vector<std::string>;
using Kind = AnswerFormat::Kind;

GenerateOptions parsed(Words words) {
  CLI::App app;
  app.option_defaults()->multi_option_policy(CLI::MultiOptionPolicy::TakeLast);
  GenerateOptions options;
  AnswerFlags flags;
  add_answer_flags(app, options, flags);
  std::reverse(words.begin(), words.end());
  app.parse(words);
  finish_answer_flags(flags, options);
  return options;
}

Words split(const std::string& line) {
  std::istringstream words(line);
  return {std::istream_iterator<std::string>(words), {}};
}

Error refusal(const std::function<void()>& act) {
  try {
    act();
  } catch (const Error& error) {
    return error;
  }
  ADD_FAILURE() << "was taken";
  return Error(ErrorCode::internal, {});
}

TEST(ServeFlags, WarnOfAnOpenServerAndOfVariablesThatAreNone) {
  CLI::App app;
  ServeFlags flags;
  add_serve_flags(app, flags);
  EXPECT_THAT(serve_warnings(flags, {"GALAGO_PORT=1", "HOME=/", "GALAGO_CPU=avx2"}), IsEmpty());
  EXPECT_THAT(serve_warnings(flags, {"GALAGO_PROT=1", "GALAGO_ZZZ"}),
              ElementsAre(HasSubstr("did you mean GALAGO_PORT?"), HasSubstr("GALAGO_ZZZ")));
  flags.http.host = "0.0.0.0";
  EXPECT_THAT(serve_warnings(flags, {}), ElementsAre(HasSubstr("--api-key")));
  flags.api.api_keys = {"key"};
  EXPECT_THAT(serve_warnings(flags, {}), IsEmpty());
  flags.api.api_keys.clear();
  flags.http.unix_socket = "socket";
  EXPECT_THAT(serve_warnings(flags, {}), IsEmpty());
}

TEST(AnswerFlags, EachReachesItsOption) {
  const GenerateOptions none = parsed({});
  EXPECT_EQ(none.format.kind, Kind::text);
  EXPECT_FALSE(none.min_new_tokens || none.logprobs || none.prompt_logprobs || none.no_repeat_ngram_size ||
               none.repetition_penalty || none.max_new_tokens || none.keep_special);
  const GenerateOptions o = parsed(
      split("-n 9 --min-new-tokens 3 --stop {} --stop [a,b] --stop-token-id 7 --stop-token-id 8 --ignore-eos "
            "--temp 0.5 --seed 4 --top-k 5 --top-p 0.9 --min-p 0.1 --typical-p 0.8 --epsilon-cutoff 0.001 "
            "--eta-cutoff 0.002 --repetition-penalty 1.2 --frequency-penalty -0.5 --presence-penalty 0.25 "
            "--no-repeat-ngram-size 2 --logit-bias 1:-100 --logit-bias 2=+1.5 --suppress-token 6 "
            "--suppress-token 5 --logprobs 20 --prompt-logprobs 0 --no-legal-doctags"));
  EXPECT_EQ(o.max_new_tokens, 9);
  EXPECT_EQ(o.min_new_tokens, 3);
  EXPECT_THAT(o.stop, ElementsAre("{}", "[a,b]"));
  EXPECT_THAT(o.stop_token_ids, ElementsAre(7, 8));
  EXPECT_TRUE(o.ignore_eos);
  EXPECT_EQ(o.temperature, 0.5);
  EXPECT_EQ(o.seed, 4U);
  EXPECT_EQ(o.top_k, 5);
  EXPECT_EQ(o.top_p, 0.9);
  EXPECT_EQ(o.min_p, 0.1);
  EXPECT_EQ(o.typical_p, 0.8);
  EXPECT_EQ(o.epsilon_cutoff, 0.001);
  EXPECT_EQ(o.eta_cutoff, 0.002);
  EXPECT_EQ(o.repetition_penalty, 1.2);
  EXPECT_EQ(o.frequency_penalty, -0.5);
  EXPECT_EQ(o.presence_penalty, 0.25);
  EXPECT_EQ(o.no_repeat_ngram_size, 2);
  ASSERT_EQ(o.logit_bias.size(), 2U);
  EXPECT_EQ(o.logit_bias[0].id, 1);
  EXPECT_EQ(o.logit_bias[0].bias, -100);
  EXPECT_EQ(o.logit_bias[1].bias, 1.5);
  EXPECT_THAT(o.suppress_tokens, ElementsAre(6, 5));
  EXPECT_EQ(o.logprobs, 20);
  EXPECT_EQ(o.prompt_logprobs, 0);
  EXPECT_FALSE(o.legal_doctags);
}

TEST(AnswerFlags, FormsAreTextsOrFiles) {
  const test::TempDir folder;
  const std::string schema = folder.add("a.json", R"({"type": "array"})");
  const std::string grammar = folder.add("a.gbnf", "root ::= \"a\"\n");
  const struct {
    Words words;
    Kind kind;
    std::string definition;
  } rows[] = {{{"--json-object"}, Kind::json_object, ""},
              {{"--json-schema", "{}"}, Kind::json_schema, "{}"},
              {{"--json-schema", " {\"type\": \"object\"}"}, Kind::json_schema, " {\"type\": \"object\"}"},
              {{"--json-schema", "true"}, Kind::json_schema, "true"},
              {{"--json-schema", schema}, Kind::json_schema, R"({"type": "array"})"},
              {{"--regex", "[a,b]"}, Kind::regex, "[a,b]"},
              {{"--regex", ""}, Kind::regex, ""},
              {{"--grammar", "root ::= \"x\""}, Kind::grammar, "root ::= \"x\""},
              {{"--grammar", grammar}, Kind::grammar, "root ::= \"a\"\n"}};
  for (const auto& row : rows) {
    const AnswerFormat format = parsed(row.words).format;
    EXPECT_EQ(format.kind, row.kind) << row.words[0];
    EXPECT_EQ(format.definition, row.definition);
    EXPECT_THAT(format.choices, IsEmpty());
  }
  const AnswerFormat choice = parsed({"--choices", "yes, no", "--choice", "well, both"}).format;
  EXPECT_EQ(choice.kind, Kind::choice);
  EXPECT_THAT(choice.choices, ElementsAre("yes", "no", "well, both"));
}

TEST(AnswerFlags, WhatIsWrongIsUsageWithAHint) {
  const struct {
    Words words;
    ErrorCode code;
    const char* says;
  } rows[] = {
      {{"--json-object", "--regex", "a"}, ErrorCode::usage, "--json-object: got --regex beside it"},
      {{"--json-schema", "{}", "--grammar", "root ::= x"}, ErrorCode::usage, "leave one of them out"},
      {{"--choice", "a", "--json-schema", "{}"}, ErrorCode::usage, "--json-schema: got --choice beside it"},
      {{"--choices", "a,,b"}, ErrorCode::usage, "a choice between any two commas"},
      {{"--choices", ""}, ErrorCode::usage, "a choice between any two commas"},
      {{"--json-schema", "/no/such.json"}, ErrorCode::not_found, "--json-schema /no/such.json: got no such"},
      {{"--grammar", "root"}, ErrorCode::not_found, "root ::= "},
      {{"--logit-bias", "5"}, ErrorCode::usage, "ID=VALUE"},
      {{"--logit-bias", "-1:2"}, ErrorCode::usage, "ID=VALUE"},
      {{"--logit-bias", "99999999999:2"}, ErrorCode::usage, "ID=VALUE"},
      {{"--logit-bias", "1:nan"}, ErrorCode::usage, "ID=VALUE"},
      {{"--logit-bias", "1:2x"}, ErrorCode::usage, "ID=VALUE"},
      {{"--stop-token-id", "x"}, ErrorCode::usage, "--stop-token-id: got x"},
      {{"--suppress-token", "-3"}, ErrorCode::usage, "--suppress-token: got -3"},
      {{"--min-new-tokens", "5", "-n", "4"}, ErrorCode::usage, "at most -n, which is 4"}};
  for (const auto& row : rows) {
    const Error error = refusal([&] { parsed(row.words); });
    EXPECT_EQ(error.code(), row.code) << error.what();
    EXPECT_THAT(error.what(), HasSubstr(row.says));
  }
}

TEST(AnswerFlags, HabitsLeadToThem) {
  Action action;
  const auto app = make_app(action);
  const auto arrange = [&](const Words& words) { return arranged(*app, words); };
  const std::pair<const char*, const char*> rows[] = {{"-j", "--json-schema"},
                                                      {"--guided-json", "--json-schema"},
                                                      {"--grammar-file", "--grammar"},
                                                      {"--n-probs", "--logprobs"},
                                                      {"--typical", "--typical-p"},
                                                      {"--min-tokens", "--min-new-tokens"},
                                                      {"--n", "--answers"},
                                                      {"-l", "--logit-bias"},
                                                      {"--guided_regex", "--regex"},
                                                      {"--guided-choice", "--choices"}};
  for (const auto& [habit, flag] : rows)
    EXPECT_THAT(arrange({"run", habit, "3"}), ElementsAre("run", flag, "3"));
  EXPECT_THAT(arrange({"run", "--json-schema", "{}", "--regex", "-x"}),
              ElementsAre("run", "--json-schema", "{}", "--regex", "-x"));
  EXPECT_THAT(refusal([&] {
                arrange({"run", "--json-schema", ""});
              }).what(),
              HasSubstr("--json-schema: got an empty text, expected a file"));
}

}  // namespace
}  // namespace galago::cli
