// The routes that answer: what comes back is what the engine says, in the words of OpenAI's and
// llama-server's clients.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "galago/galago.h"
#include "server/api/models.h"
#include "support/model_files.h"
#include "unit/server/api_harness.h"

namespace galago {
namespace {

using test::answer_of;
using test::model;
using test::picture_question;
using test::question;
using test::Reply;
using test::tiny;
using testing::HasSubstr;
using testing::MatchesRegex;

constexpr const char* kChat = "/v1/chat/completions";

std::string joined(const Reply& reply) {
  std::string text;
  for (const OrderedJson& event : reply.events())
    for (const OrderedJson& choice : event.value("choices", OrderedJson::array()))
      if (choice.contains("delta") && choice["delta"].contains("content") &&
          choice["delta"]["content"].is_string())
        text += choice["delta"]["content"].get<std::string>();
  return text;
}

TEST(ApiChat, IsTheEnginesAnswer) {
  const Answer expected = answer_of("What is this?", true);
  const Reply reply = tiny().post(kChat, picture_question("What is this?", {{"cache_prompt", false}}));
  ASSERT_EQ(reply.status, 200) << reply.body;
  const OrderedJson& choice = reply.json["choices"][0];
  EXPECT_EQ(choice["message"]["content"], expected.text);
  EXPECT_EQ(choice["message"]["role"], "assistant");
  EXPECT_EQ(choice["finish_reason"], expected.finish_reason == FinishReason::length ? "length" : "stop");
  EXPECT_EQ(reply.json["usage"]["prompt_tokens"], expected.usage.prompt_tokens);
  EXPECT_EQ(reply.json["usage"]["completion_tokens"], expected.usage.completion_tokens);
  EXPECT_EQ(reply.json["usage"]["prompt_tokens_details"]["image_tokens"], expected.usage.image_tokens);
  EXPECT_EQ(reply.json["images"][0]["tiles"], expected.images[0].tiles);
  EXPECT_GT(reply.json["timings"]["first_token_ms"].get<double>(), 0);
  server::ServedModel served;
  set_chat(served, model());
  EXPECT_EQ(reply.json["system_fingerprint"], served.fingerprint);
  EXPECT_THAT(served.fingerprint, MatchesRegex("galago-" + std::string(version()) + "-[0-9a-f]+"));
  EXPECT_EQ(reply.json["model"], "smolvlm_tiles");
}

TEST(ApiChat, AStreamJoinedIsTheWholeAnswer) {
  const Answer expected = answer_of("What is this?", true);
  const Reply reply = tiny().post(
      kChat,
      picture_question("What is this?", {{"stream", true}, {"stream_options", {{"include_usage", true}}}}));
  EXPECT_EQ(joined(reply), expected.text);
  EXPECT_TRUE(reply.body.ends_with("\n\ndata: [DONE]\n\n"));
  ASSERT_NE(http::find(reply.headers, "content-type"), nullptr);
  EXPECT_THAT(*http::find(reply.headers, "content-type"), HasSubstr("text/event-stream"));
  const auto events = reply.events();
  ASSERT_GE(events.size(), 3U);
  EXPECT_EQ(events.front()["choices"][0]["delta"]["role"], "assistant");
  const OrderedJson& last_choice = events[events.size() - 2]["choices"][0];
  EXPECT_TRUE(last_choice["delta"].empty());
  EXPECT_EQ(last_choice["finish_reason"], "length");
  EXPECT_TRUE(events.back()["choices"].empty());
  EXPECT_EQ(events.back()["usage"]["completion_tokens"], 8);
  for (size_t i = 0; i + 1 < events.size(); ++i) EXPECT_TRUE(events[i]["usage"].is_null());
}

TEST(ApiChat, WithoutUsageTheLastChunkHasTimings) {
  const auto events = tiny().post(kChat, question("Hi", {{"stream", true}})).events();
  EXPECT_EQ(events.back()["choices"][0]["finish_reason"], "length");
  EXPECT_EQ(events.back()["timings"]["predicted_n"], 8);
  EXPECT_FALSE(events.back().contains("usage"));
}

TEST(ApiChat, TimingsOfEachTokenCountThem) {
  int64_t last = 0;
  for (const OrderedJson& event :
       tiny().post(kChat, question("Hi", {{"stream", true}, {"timings_per_token", true}})).events()) {
    if (!event.contains("timings")) continue;
    EXPECT_GE(event["timings"]["predicted_n"].get<int64_t>(), last);
    last = event["timings"]["predicted_n"];
  }
  EXPECT_EQ(last, 8);
}

TEST(ApiChat, TellsHowFarPicturesAre) {
  test::Api api;
  const auto events =
      api.post(kChat, picture_question("What?", {{"stream", true}, {"progress", true}})).events();
  int64_t done = 0;
  for (const OrderedJson& event : events)
    if (event.value("object", "") == "galago.progress") done = event["tiles_done"];
  EXPECT_GT(done, 0);
}

TEST(ApiChat, SeveralAnswersHaveTheSeedsThatFollow) {
  const OrderedJson fields{{"n", 3}, {"temperature", 1.0}, {"seed", 7}};
  const Reply reply = tiny().post(kChat, question("Say something", fields));
  ASSERT_EQ(reply.json["choices"].size(), 3U);
  for (uint64_t i = 0; i < 3; ++i)
    EXPECT_EQ(reply.json["choices"][i]["message"]["content"],
              answer_of("Say something", false, {.max_new_tokens = 8, .temperature = 1, .seed = 7 + i}).text);
  EXPECT_EQ(reply.json["usage"]["completion_tokens"], 24);
  const Reply streamed = tiny().post(
      kChat, question("Say something", {{"n", 3}, {"temperature", 1.0}, {"seed", 7}, {"stream", true}}));
  std::vector<std::string> texts(3);
  for (const OrderedJson& event : streamed.events())
    for (const OrderedJson& choice : event["choices"])
      if (choice["delta"].contains("content"))
        texts[choice["index"].get<size_t>()] += choice["delta"]["content"].get<std::string>();
  for (size_t i = 0; i < 3; ++i) EXPECT_EQ(texts[i], reply.json["choices"][i]["message"]["content"]);
}

TEST(ApiChat, LogprobsAreTheEngines) {
  const Answer expected = answer_of("Hi", false, {.max_new_tokens = 8, .logprobs = 3});
  const OrderedJson fields{{"logprobs", true}, {"top_logprobs", 3}};
  const Reply reply = tiny().post(kChat, question("Hi", fields));
  const OrderedJson& content = reply.json["choices"][0]["logprobs"]["content"];
  ASSERT_EQ(content.size(), expected.tokens.size());
  for (size_t i = 0; i < content.size(); ++i) {
    EXPECT_EQ(content[i]["token"], expected.tokens[i].text);
    EXPECT_NEAR(content[i]["logprob"].get<double>(), expected.tokens[i].logprob, 1e-4);
    EXPECT_EQ(content[i]["top_logprobs"].size(), 3U);
    EXPECT_EQ(content[i]["bytes"].size(), expected.tokens[i].bytes.size());
  }
  size_t streamed = 0;
  for (const OrderedJson& event :
       tiny().post(kChat, question("Hi", {{"logprobs", true}, {"stream", true}})).events())
    if (event["choices"][0]["logprobs"].is_object())
      streamed += event["choices"][0]["logprobs"]["content"].size();
  EXPECT_EQ(streamed, expected.tokens.size());
}

TEST(ApiChat, StopsAtATextAndKeepsItOut) {
  const std::string whole = answer_of("Hi", false).text;
  ASSERT_GT(whole.size(), 4U);
  const std::string stop = whole.substr(3, 1);
  const Reply reply = tiny().post(kChat, question("Hi", {{"stop", stop}}));
  EXPECT_EQ(reply.json["choices"][0]["message"]["content"], whole.substr(0, whole.find(stop)));
  EXPECT_EQ(reply.json["choices"][0]["finish_reason"], "stop");
}

TEST(ApiChat, NamesOfTokenLimits) {
  for (const char* name : {"max_tokens", "max_completion_tokens", "n_predict"}) {
    OrderedJson body = question("Hi");
    body.erase("max_tokens");
    body[name] = 3;
    EXPECT_EQ(tiny().post(kChat, body).json["usage"]["completion_tokens"], 3) << name;
  }
}

TEST(ApiChat, WithoutALimitTheOperatorsCounts) {
  server::ApiOptions options;
  options.max_tokens = 5;
  test::Api api({"smolvlm_tiles"}, std::move(options));
  OrderedJson body = question("Hi", {{"ignore_eos", true}});
  body.erase("max_tokens");
  EXPECT_EQ(api.post(kChat, body).json["usage"]["completion_tokens"], 5);
  body["max_tokens"] = 100;
  EXPECT_EQ(api.post(kChat, body).json["usage"]["completion_tokens"], 5);
}

TEST(ApiChat, AFormHoldsTheAnswer) {
  const Reply choice =
      tiny().post(kChat, question("Hi", {{"structured_outputs", {{"choice", {"yes", "no"}}}}}));
  const std::string said = choice.json["choices"][0]["message"]["content"];
  EXPECT_TRUE(said == "yes" || said == "no") << said;
  EXPECT_EQ(tiny()
                .post(kChat, question("Hi", {{"guided_choice", {"maybe"}}}))
                .json["choices"][0]["message"]["content"],
            "maybe");
}

TEST(ApiChat, DetailIsOneTileOrMany) {
  const auto tiles = [](const char* detail) {
    OrderedJson body = picture_question("What?");
    if (detail) body["messages"][0]["content"][0]["image_url"]["detail"] = detail;
    const Reply reply = tiny().post(std::string(kChat) + "/input_tokens", body);
    EXPECT_EQ(reply.status, 200) << reply.body;
    return reply.json["images"][0]["tiles"].get<int64_t>();
  };
  const int64_t whole = tiles(nullptr);
  EXPECT_GT(whole, 1);
  EXPECT_EQ(tiles("low"), 1);
  EXPECT_EQ(tiles("high"), whole);
}

TEST(ApiChat, CountsWhatAQuestionCostsWithoutEncoding) {
  test::Api api;
  const Reply reply = api.post(std::string(kChat) + "/input_tokens", picture_question("What is this?"));
  const Answer expected = answer_of("What is this?", true);
  EXPECT_EQ(reply.json["object"], "response.input_tokens");
  EXPECT_EQ(reply.json["input_tokens"], expected.usage.prompt_tokens);
  EXPECT_EQ(reply.json["image_tokens"], expected.usage.image_tokens);
  EXPECT_TRUE(reply.json["predicted_ms"].is_null());
  api.post(kChat, picture_question("What is this?"));
  EXPECT_GT(api.post(std::string(kChat) + "/input_tokens", picture_question("What is this?"))
                .json["predicted_ms"]
                .get<double>(),
            0);
}

TEST(ApiChat, AConversationIsCachedUnlessItSaysOtherwise) {
  test::Api api;
  const std::string text(200, 'a');
  api.post(kChat, question(text));
  const auto cached = [&](const OrderedJson& fields) {
    return api.post(kChat, question(text, fields))
        .json["usage"]["prompt_tokens_details"]["cached_tokens"]
        .get<int64_t>();
  };
  EXPECT_GT(cached(OrderedJson::object()), 0);
  EXPECT_EQ(cached({{"cache_prompt", false}}), 0);
}

TEST(ApiChat, ARequiredToolIsACall) {
  const OrderedJson tool = OrderedJson::parse(
      R"({"type":"function","function":{"name":"colour","parameters":{"type":"object","properties":{"name":{"enum":["red","blue"]}},"required":["name"],"additionalProperties":false}}})");
  OrderedJson body = question(
      "Hi", {{"tools", OrderedJson::array({tool})}, {"tool_choice", "required"}, {"max_tokens", 300}});
  const Reply reply = tiny().post(kChat, body);
  if (reply.code() == "model_unsupported") GTEST_SKIP() << "built without structured answers";
  ASSERT_EQ(reply.status, 200) << reply.body;
  const OrderedJson& call = reply.json["choices"][0]["message"]["tool_calls"][0];
  EXPECT_EQ(call["function"]["name"], "colour");
  const OrderedJson arguments = OrderedJson::parse(call["function"]["arguments"].get<std::string>());
  EXPECT_TRUE(arguments["name"] == "red" || arguments["name"] == "blue");
  EXPECT_EQ(reply.json["choices"][0]["finish_reason"], "tool_calls");
  EXPECT_TRUE(reply.json["choices"][0]["message"]["content"].is_null());

  body["stream"] = true;
  std::string streamed, name;
  for (const OrderedJson& event : tiny().post(kChat, body).events())
    if (event["choices"][0]["delta"].contains("tool_calls")) {
      const OrderedJson& part = event["choices"][0]["delta"]["tool_calls"][0]["function"];
      streamed += part.value("arguments", "");
      name += part.value("name", "");
    }
  EXPECT_EQ(streamed, call["function"]["arguments"]);
  EXPECT_EQ(name, "colour");

  OrderedJson other = tool;
  other["function"]["name"] = "tint";
  body["tools"].push_back(other);
  body["stream"] = false;
  const Reply several = tiny().post(kChat, body);
  const std::string chosen = several.json["choices"][0]["message"]["tool_calls"][0]["function"]["name"];
  EXPECT_TRUE(chosen == "colour" || chosen == "tint");
}

TEST(ApiChat, VideosAreFilesOrFrames) {
  test::Api api({"smolvlm2_video"});
  const auto asked = [&](const OrderedJson& video) {
    OrderedJson body = question("What happens?");
    body["messages"][0]["content"] = OrderedJson::array(
        {{{"type", "video_url"}, {"video_url", video}}, {{"type", "text"}, {"text", "What happens?"}}});
    return api.post(kChat, body);
  };
  const std::string one = test::data_uri();
  const Reply frames = asked({{"frames", {one, one, one, one}}, {"fps", 2}});
  ASSERT_EQ(frames.status, 200) << frames.body;
  const Image picture = Image::open(test::data_path("pictures/shapes_100x80.png"));
  const Model direct = Model::load(test::data_path("models/smolvlm2_video"), {.threads = 1});
  const std::vector<Image> four(4, picture);
  Request request{.prompt = "What happens?", .videos = {Video::from_frames(four, 2)}};
  request.options.max_new_tokens = 8;
  const Answer expected = direct.ask(request);
  EXPECT_EQ(frames.json["choices"][0]["message"]["content"], expected.text);
  EXPECT_EQ(frames.json["usage"]["prompt_tokens"], expected.usage.prompt_tokens);
  EXPECT_EQ(asked({{"frames", {one}}, {"fps", 0}}).code(), "invalid_value");
  EXPECT_EQ(
      tiny()
          .post(kChat,
                OrderedJson::parse(
                    R"({"messages":[{"role":"user","content":[{"type":"video_url","video_url":{"frames":[")" +
                    one + R"("]}}]}]})"))
          .status,
      400);
}

OrderedJson functions(std::initializer_list<const char*> names) {
  OrderedJson list = OrderedJson::array();
  for (const char* name : names)
    list.push_back({{"type", "function"},
                    {"function",
                     {{"name", name},
                      {"parameters",
                       {{"type", "object"},
                        {"properties", {{"a", {{"enum", {"x"}}}}}},
                        {"required", {"a"}},
                        {"additionalProperties", false}}}}}});
  return list;
}

TEST(ApiChat, ACallThatAStopTextCutIsNone) {
  for (const auto& tools : {functions({"look"}), functions({"look", "see"})}) {
    const Reply cut = tiny().post(
        kChat,
        question("Hi", {{"tools", tools}, {"tool_choice", "required"}, {"stop", ":"}, {"max_tokens", 99}}));
    EXPECT_EQ(cut.json["choices"][0]["finish_reason"], "stop") << cut.body;
    const Reply whole = tiny().post(
        kChat, question("Hi", {{"tools", tools}, {"tool_choice", "required"}, {"max_tokens", 99}}));
    EXPECT_EQ(whole.json["choices"][0]["finish_reason"], "tool_calls") << whole.body;
  }
  const Reply several = tiny().post(kChat, question("Hi", {{"tools", functions({"look", "see"})},
                                                           {"tool_choice", "required"},
                                                           {"stop", ":"},
                                                           {"max_tokens", 99}}));
  EXPECT_THAT(several.json["choices"][0]["message"]["content"].get<std::string>(), HasSubstr("name"));
  const OrderedJson tool = functions({"look"})[0]["function"];
  OrderedJson flat{{"type", "function"}};
  flat.update(tool);
  const Reply response = tiny().post("/v1/responses", {{"input", "Hi"},
                                                       {"tools", OrderedJson::array({flat})},
                                                       {"tool_choice", "required"},
                                                       {"stop", ":"},
                                                       {"max_output_tokens", 99}});
  EXPECT_EQ(response.json["status"], "incomplete") << response.body;
  EXPECT_TRUE(response.json["incomplete_details"].is_null());
}

TEST(ApiChat, AStreamOfOneOfSeveralCallsHasItsLogprobs) {
  OrderedJson body = question("Hi", {{"tools", functions({"look", "see"})},
                                     {"tool_choice", "required"},
                                     {"logprobs", true},
                                     {"max_tokens", 99}});
  const OrderedJson whole = tiny().post(kChat, body).json["choices"][0]["logprobs"]["content"];
  body["stream"] = true;
  OrderedJson streamed = OrderedJson::array();
  for (const OrderedJson& event : tiny().post(kChat, body).events())
    if (const OrderedJson& scores = event["choices"][0]["logprobs"]; !scores.is_null())
      for (const OrderedJson& one : scores["content"]) streamed.push_back(one);
  EXPECT_FALSE(whole.empty());
  EXPECT_EQ(streamed, whole);
}

TEST(ApiResponses, AnswerTextsAndPictures) {
  const Answer expected = answer_of("What is this?", true);
  const OrderedJson input = OrderedJson::array(
      {{{"role", "user"},
        {"content", OrderedJson::array({{{"type", "input_image"}, {"image_url", test::data_uri()}},
                                        {{"type", "input_text"}, {"text", "What is this?"}}})}}});
  const Reply reply = tiny().post("/v1/responses", {{"input", input}, {"max_output_tokens", 8}});
  ASSERT_EQ(reply.status, 200) << reply.body;
  EXPECT_EQ(reply.json["object"], "response");
  EXPECT_EQ(reply.json["output"][0]["content"][0]["text"], expected.text);
  EXPECT_EQ(reply.json["usage"]["input_tokens"], expected.usage.prompt_tokens);
  EXPECT_EQ(reply.json["status"], "incomplete");
  EXPECT_EQ(reply.json["incomplete_details"]["reason"], "max_output_tokens");
  const Reply plain = tiny().post("/v1/responses",
                                  {{"input", "Hi"}, {"instructions", "Be brief."}, {"max_output_tokens", 8}});
  EXPECT_EQ(plain.json["output"][0]["content"][0]["text"],
            model().ask({.prompt = "Hi", .system = "Be brief.", .options = {.max_new_tokens = 8}}).text);
}

TEST(ApiResponses, LogprobsAreOfTheTextAlone) {
  const std::string end = std::to_string(model().tokenize("<end_of_utterance>", true)[0]);
  const OrderedJson body{{"max_tokens", 60}, {"logprobs", true}, {"logit_bias", {{end, 100}}}};
  const Reply chat = tiny().post(kChat, question("Hi", body));
  ASSERT_EQ(chat.json["choices"][0]["finish_reason"], "stop") << chat.body;
  OrderedJson asked = body;
  asked["input"] = "Hi";
  const Reply reply = tiny().post("/v1/responses", asked);
  EXPECT_EQ(reply.json["output"][0]["content"][0]["logprobs"],
            chat.json["choices"][0]["logprobs"]["content"]);
}

TEST(ApiResponses, AStreamHasItsEventsInOrder) {
  const Reply reply =
      tiny().post("/v1/responses", {{"input", "Hi"}, {"max_output_tokens", 8}, {"stream", true}});
  std::string text;
  std::vector<std::string> types;
  int64_t number = 0;
  for (const OrderedJson& event : reply.events()) {
    EXPECT_EQ(event["sequence_number"], number++);
    if (types.empty() || types.back() != event["type"]) types.push_back(event["type"]);
    if (event["type"] == "response.output_text.delta") text += event["delta"].get<std::string>();
    EXPECT_THAT(reply.body, HasSubstr("event: " + event["type"].get<std::string>() + "\ndata: "));
  }
  EXPECT_THAT(types,
              testing::ElementsAre("response.created", "response.in_progress", "response.output_item.added",
                                   "response.content_part.added", "response.output_text.delta",
                                   "response.output_text.done", "response.content_part.done",
                                   "response.output_item.done", "response.incomplete"));
  EXPECT_EQ(reply.events().back()["response"]["output"][0]["content"][0]["text"], text);
  EXPECT_EQ(text, answer_of("Hi", false).text);
}

}  // namespace
}  // namespace galago
