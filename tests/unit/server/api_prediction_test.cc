// OpenAI's predicted outputs: the answer is the one without them, and what is none is refused by its place.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "unit/server/api_harness.h"

namespace galago {
namespace {

using test::question;
using test::Reply;
using test::tiny;
using testing::HasSubstr;

constexpr const char* kChat = "/v1/chat/completions";

OrderedJson prediction(const OrderedJson& content) {
  return {{"prediction", {{"type", "content"}, {"content", content}}}};
}

TEST(ApiPrediction, ChangesNoAnswer) {
  test::Api api;
  const auto ask = [&](OrderedJson fields) {
    fields["cache_prompt"] = false;  // a prompt that is read in other pieces may round otherwise
    return api.post(kChat, question("Hello?", fields));
  };
  for (const OrderedJson& form : {OrderedJson::object(), OrderedJson{{"temperature", 1.2}, {"seed", 4}},
                                  OrderedJson{{"logprobs", true}}}) {
    const Reply plain = ask(form);
    const OrderedJson choice = plain.json["choices"][0];
    const std::string said = choice["message"]["content"];
    EXPECT_FALSE(plain.json["usage"].contains("completion_tokens_details"));
    const OrderedJson part = {{"type", "text"}, {"text", said}};
    for (const OrderedJson& content :
         {OrderedJson(said), OrderedJson::array({part}), OrderedJson::array({part, part}),
          OrderedJson("another"), OrderedJson(""), OrderedJson::array(),
          OrderedJson(std::string(256 << 10, 'a')), OrderedJson("<end_of_utterance>" + said)}) {
      OrderedJson fields = form;
      fields.update(prediction(content));
      const Reply reply = ask(fields);
      ASSERT_EQ(reply.status, 200) << reply.body;
      EXPECT_EQ(reply.json["choices"][0], choice);
      const OrderedJson counts = reply.json["usage"]["completion_tokens_details"];
      EXPECT_GE(counts["accepted_prediction_tokens"].get<int64_t>(), 0);
      EXPECT_GE(counts["rejected_prediction_tokens"].get<int64_t>(), 0);
    }
    OrderedJson fields = form;
    fields["prediction"] = nullptr;
    EXPECT_FALSE(ask(fields).json["usage"].contains("completion_tokens_details")) << "null is none";
  }
  EXPECT_THAT(api.get("/metrics").body, HasSubstr("galago_accepted_tokens_total{model="));
}

TEST(ApiPrediction, OfAStreamIsCountedAtItsEnd) {
  OrderedJson fields = prediction("Hello?");
  fields.update({{"stream", true}, {"stream_options", {{"include_usage", true}}}, {"n", 2}});
  const auto events = tiny().post(kChat, question("Hello?", fields)).events();
  EXPECT_TRUE(events.back()["usage"]["completion_tokens_details"].contains("accepted_prediction_tokens"));
  const Reply text = tiny().post(
      "/v1/completions", {{"prompt", "Hello"}, {"max_tokens", 4}, {"prediction", fields["prediction"]}});
  EXPECT_TRUE(text.json["usage"]["completion_tokens_details"].contains("rejected_prediction_tokens"))
      << text.body;
}

TEST(ApiPrediction, ThatIsNoneIsRefusedByItsPlace) {
  const OrderedJson picture = {{"type", "image_url"}, {"image_url", {{"url", test::data_uri()}}}};
  const std::string huge((256 << 10) + 1, 'a');
  const std::pair<std::string, const char*> rows[] = {
      {R"("text")", "prediction"},
      {R"(["text"])", "prediction"},
      {R"({})", "prediction.content"},
      {R"({"type": "content"})", "prediction.content"},
      {R"({"content": null})", "prediction.content"},
      {R"({"content": 3})", "prediction.content"},
      {R"({"content": {"text": "a"}})", "prediction.content"},
      {R"({"type": 3, "content": "a"})", "prediction.type"},
      {R"({"type": "other", "content": "a"})", "prediction.type"},
      {R"({"content": [3]})", "prediction.content[0]"},
      {R"({"content": [{"type": "text", "text": "a"}, )" + picture.dump() + "]}",
       "prediction.content[1].type"},
      {R"({"content": [{"type": "text"}]})", "prediction.content[0].text"},
      {R"({"content": [{"type": "text", "text": 5}]})", "prediction.content[0].text"},
      {R"({"content": ")" + huge + "\"}", "prediction.content"}};
  for (const auto& [wrong, place] : rows) {
    const Reply reply = tiny().post(kChat, question("Hello?", {{"prediction", OrderedJson::parse(wrong)}}));
    EXPECT_EQ(reply.status, 400) << reply.body;
    EXPECT_EQ(reply.json["error"]["param"], place) << reply.body;
  }
}

}  // namespace
}  // namespace galago
