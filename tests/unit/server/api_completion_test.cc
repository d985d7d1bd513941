// Completions of OpenAI's and llama-server's kind, and what is told of texts.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "galago/galago.h"
#include "support/model_files.h"
#include "unit/server/api_harness.h"

namespace galago {
namespace {

using test::answer_of;
using test::model;
using test::question;
using test::Reply;
using test::tiny;
using testing::HasSubstr;

TEST(ApiCompletions, ContinueATextAsItStands) {
  const Answer expected = model().ask(
      {.prompt = "The galago", .options = {.max_new_tokens = 6}, .parse_special = true, .raw = true});
  const Reply reply = tiny().post("/v1/completions", {{"prompt", "The galago"}, {"max_tokens", 6}});
  ASSERT_EQ(reply.status, 200) << reply.body;
  EXPECT_EQ(reply.json["object"], "text_completion");
  EXPECT_EQ(reply.json["choices"][0]["text"], expected.text);
  const Reply echoed = tiny().post(
      "/v1/completions", {{"prompt", "The galago"}, {"max_tokens", 6}, {"echo", true}, {"logprobs", 1}});
  EXPECT_EQ(echoed.json["choices"][0]["text"], "The galago" + expected.text);
  const OrderedJson& scores = echoed.json["choices"][0]["logprobs"];
  EXPECT_EQ(scores["tokens"].size(), static_cast<size_t>(expected.usage.prompt_tokens + 6));
  EXPECT_TRUE(scores["token_logprobs"][0].is_null());
  EXPECT_LT(scores["token_logprobs"][1].get<double>(), 0);
  const Reply read = tiny().post(
      "/v1/completions", {{"prompt", "The galago"}, {"max_tokens", 0}, {"echo", true}, {"logprobs", 1}});
  EXPECT_EQ(read.json["choices"][0]["text"], "The galago");
  EXPECT_EQ(read.json["usage"]["completion_tokens"], 0);
  EXPECT_EQ(read.json["choices"][0]["logprobs"]["tokens"].size(),
            static_cast<size_t>(expected.usage.prompt_tokens));
  const Reply ids =
      tiny().post("/v1/completions", {{"prompt", model().tokenize("The galago", true)}, {"max_tokens", 6}});
  EXPECT_EQ(ids.json["choices"][0]["text"], expected.text);
  const Reply two = tiny().post("/v1/completions", {{"prompt", {"The galago", "A cat"}}, {"max_tokens", 6}});
  ASSERT_EQ(two.json["choices"].size(), 2U);
  EXPECT_EQ(two.json["choices"][0]["text"], expected.text);
  EXPECT_EQ(two.json["choices"][1]["index"], 1);
}

TEST(ApiCompletions, UsageIsOfAllPrompts) {
  const auto tokens = [](const OrderedJson& prompt, int64_t n) {
    return tiny()
        .post("/v1/completions", {{"prompt", prompt}, {"max_tokens", 2}, {"n", n}, {"temperature", 1}})
        .json["usage"];
  };
  const int64_t one = tokens("The galago", 1)["prompt_tokens"], other = tokens("A cat", 1)["prompt_tokens"];
  EXPECT_EQ(tokens("The galago", 2)["prompt_tokens"], one);
  EXPECT_EQ(tokens({"The galago", "A cat"}, 1)["prompt_tokens"], one + other);
  EXPECT_EQ(tokens({"The galago", "A cat"}, 2)["prompt_tokens"], one + other);
}

TEST(ApiCompletions, OffsetsOfAStreamGoOn) {
  const OrderedJson body{{"prompt", "Größe"}, {"max_tokens", 6}, {"logprobs", 1}};
  OrderedJson streamed = body, quiet = body;
  streamed["stream"] = true;
  std::vector<int64_t> offsets;
  std::vector<std::string> texts;
  for (const OrderedJson& event : tiny().post("/v1/completions", streamed).events())
    if (const OrderedJson& scores = event["choices"][0]["logprobs"]; !scores.is_null()) {
      offsets.push_back(scores["text_offset"][0]);
      texts.push_back(scores["tokens"][0]);
    }
  const OrderedJson whole = tiny().post("/v1/completions", quiet).json["choices"][0]["logprobs"];
  EXPECT_EQ(OrderedJson(texts), whole["tokens"]);
  EXPECT_EQ(OrderedJson(offsets), whole["text_offset"]);
  streamed["echo"] = quiet["echo"] = true;
  const OrderedJson last = tiny().post("/v1/completions", streamed).events().back()["choices"][0];
  const OrderedJson echoed = tiny().post("/v1/completions", quiet).json["choices"][0];
  EXPECT_EQ(last["text"], echoed["text"]);
  EXPECT_EQ(last["logprobs"], echoed["logprobs"]);
}

TEST(ApiCompletions, LlamaServersOwn) {
  const Reply reply =
      tiny().post("/completion", {{"prompt", "The galago"}, {"n_predict", 6}, {"n_probs", 2}});
  EXPECT_EQ(reply.json["tokens_predicted"], 6);
  EXPECT_EQ(reply.json["stop"], true);
  EXPECT_EQ(reply.json["stop_type"], "limit");
  const std::string text_of_all = reply.json["content"];
  const std::string word = text_of_all.substr(text_of_all.size() - 1);
  const Reply stopped =
      tiny().post("/completion", {{"prompt", "The galago"}, {"n_predict", 6}, {"stop", {"qqqq", word}}});
  EXPECT_EQ(stopped.json["stop_type"], "word");
  EXPECT_EQ(stopped.json["stopping_word"], word);
  EXPECT_EQ(reply.json["completion_probabilities"].size(), 6U);
  std::string text;
  const Reply streamed =
      tiny().post("/completion", {{"prompt", "The galago"}, {"n_predict", 6}, {"stream", true}});
  for (const OrderedJson& event : streamed.events()) text += event["content"].get<std::string>();
  EXPECT_EQ(text, reply.json["content"]);
  EXPECT_EQ(streamed.events().back()["stop"], true);
  EXPECT_EQ(streamed.body.find("[DONE]"), std::string::npos);
  const Reply two = tiny().post("/completion", {{"prompt", {"The galago", "A cat"}}, {"n_predict", 2}});
  ASSERT_EQ(two.json.size(), 2U);
  EXPECT_EQ(two.json[0]["prompt"], "The galago");
  EXPECT_EQ(two.json[1]["prompt"], "A cat");
  EXPECT_EQ(two.json[1]["index"], 1);
}

TEST(ApiTexts, TokensAndBack) {
  const Reply reply = tiny().post("/tokenize", {{"content", "The galago <image>"}});
  EXPECT_EQ(reply.json["tokens"].get<std::vector<int32_t>>(), model().tokenize("The galago <image>", true));
  EXPECT_EQ(tiny().post("/detokenize", {{"tokens", reply.json["tokens"]}}).json["content"],
            "The galago <image>");
  const Reply pieces = tiny().post("/tokenize", {{"content", "a\xc3\xa9"}, {"with_pieces", true}});
  EXPECT_EQ(pieces.json["tokens"][0]["piece"], "a");
  const Reply prompt = tiny().post("/apply-template", question("Hi"));
  EXPECT_THAT(prompt.json["prompt"].get<std::string>(), HasSubstr("User: Hi"));
}

}  // namespace
}  // namespace galago
