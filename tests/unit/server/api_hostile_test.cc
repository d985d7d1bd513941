// Bodies that are wrong, each with the status and code that it gets: never one that clients try again, and
// the next request is answered as if nothing had been.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "unit/server/api_harness.h"

namespace galago {
namespace {

using test::question;
using test::Reply;

constexpr const char* kChat = "/v1/chat/completions";

struct Case {
  const char* name;
  std::string path;
  std::string body;
  int status;
  const char* code;
};

// A question with one field.
std::string with(const std::string& field) {
  return R"({"messages":[{"role":"user","content":"Hi"}],"max_tokens":2,)" + field + "}";
}

// A question with one part of content.
std::string part(const std::string& json) {
  return R"({"messages":[{"role":"user","content":[)" + json + "]}]}";
}

std::string image(const std::string& url) {
  return part(R"({"type":"image_url","image_url":{"url":")" + url + "\"}}");
}

std::string repeated(const std::string& text, size_t count) {
  std::string all;
  for (size_t i = 0; i < count; ++i) all += text;
  return all;
}

std::vector<Case> json_cases() {
  return {
      {"empty", kChat, "", 400, "input_invalid"},
      {"not json", kChat, "hello", 400, "input_invalid"},
      {"half", kChat, R"({"messages":)", 400, "input_invalid"},
      {"two documents", kChat, "{}{}", 400, "input_invalid"},
      {"list", kChat, "[]", 400, "invalid_value"},
      {"number", kChat, "5", 400, "invalid_value"},
      {"null", kChat, "null", 400, "invalid_value"},
      {"trailing comma", kChat, R"({"messages":[],})", 400, "input_invalid"},
      {"single quotes", kChat, "{'messages':[]}", 400, "input_invalid"},
      {"nan", kChat, with(R"("temperature":NaN)"), 400, "input_invalid"},
      {"infinity", kChat, with(R"("temperature":1e999)"), 400, "input_invalid"},
      {"deep list", kChat, with("\"tools\":" + repeated("[", 3000) + repeated("]", 3000)), 400,
       "input_too_large"},
      {"deep object", kChat, with("\"x\":" + repeated(R"({"a":)", 3000) + "1" + repeated("}", 3000)), 400,
       "input_too_large"},
      {"200 KB of [", kChat, repeated("[", 200000), 400, "input_too_large"},
      {"many keys", kChat,
       [] {
         std::string all = "{";
         for (int i = 0; i < 5000; ++i) all += (i ? ",\"k" : "\"k") + std::to_string(i) + "\":1";
         return all + "}";
       }(),
       400, "input_too_large"},
      {"malformed utf-8", kChat, "{\"messages\":[{\"role\":\"user\",\"content\":\"\xff\xfe\"}]}", 400,
       "input_invalid"},
      {"overlong utf-8", kChat, "{\"messages\":[{\"role\":\"user\",\"content\":\"\xc0\xaf\"}]}", 400,
       "input_invalid"},
      {"lone surrogate", kChat, R"({"messages":[{"role":"user","content":"\ud800"}]})", 400, "input_invalid"},
      {"raw NUL", kChat, std::string("{\"messages\":\0}", 14), 400, "input_invalid"}};
}

std::vector<Case> message_cases() {
  return {
      {"none", kChat, "{}", 400, "invalid_value"},
      {"null messages", kChat, R"({"messages":null})", 400, "invalid_value"},
      {"no message", kChat, R"({"messages":[]})", 400, "invalid_value"},
      {"text", kChat, R"({"messages":"Hi"})", 400, "invalid_value"},
      {"object", kChat, R"({"messages":{}})", 400, "invalid_value"},
      {"of numbers", kChat, R"({"messages":[1]})", 400, "input_invalid"},
      {"no role", kChat, R"({"messages":[{"content":"Hi"}]})", 400, "input_invalid"},
      {"role of a number", kChat, R"({"messages":[{"role":1,"content":"Hi"}]})", 400, "input_invalid"},
      {"empty role", kChat, R"({"messages":[{"role":"","content":"Hi"}]})", 400, "input_invalid"},
      {"role with a tag", kChat, R"({"messages":[{"role":"<|im_start|>","content":"Hi"}]})", 400,
       "input_invalid"},
      {"long role", kChat, R"({"messages":[{"role":")" + repeated("a", 1000) + R"(","content":"Hi"}]})", 400,
       "input_invalid"},
      {"content of a number", kChat, R"({"messages":[{"role":"user","content":5}]})", 400, "input_invalid"},
      {"content of an object", kChat, R"({"messages":[{"role":"user","content":{"a":1}}]})", 400,
       "input_invalid"},
      {"part of a number", kChat, part("5"), 400, "invalid_value"},
      {"part without type", kChat, part(R"({"text":"Hi"})"), 400, "invalid_value"},
      {"part of no kind", kChat, part(R"({"type":"audio","audio":"x"})"), 400, "invalid_value"},
      {"text part without text", kChat, part(R"({"type":"text"})"), 400, "invalid_value"},
      {"text part of a number", kChat, part(R"({"type":"text","text":5})"), 400, "invalid_value"},
      {"image part without image", kChat, part(R"({"type":"image_url"})"), 400, "invalid_image_url"},
      {"image of a number", kChat, part(R"({"type":"image_url","image_url":5})"), 400, "invalid_value"},
      {"image without url", kChat, part(R"({"type":"image_url","image_url":{}})"), 400, "invalid_value"},
      {"video without a source", kChat, part(R"({"type":"video_url"})"), 400, "invalid_value"},
      {"video of no frames", kChat, part(R"({"type":"video_url","video_url":{"frames":[]}})"), 400,
       "invalid_value"},
      {"10,000 pictures", kChat,
       part(repeated(R"({"type":"image_url","image_url":{"url":"data:image/png;base64,AAAA"}},)", 9999) +
            R"({"type":"text","text":"x"})"),
       400, "too_many_images"},
      {"frames over the limit", kChat,
       part(R"({"type":"video_url","video_url":{"frames":[")" + repeated("a\",\"", 200) + R"("]}})"), 400,
       "too_many_images"},
      {"over the context", kChat,
       R"({"messages":[{"role":"user","content":")" + repeated("word ", 60000) + "\"}]}", 400,
       "context_length_exceeded"},
      {"over the context by a picture's name", kChat,
       R"({"messages":[{"role":"user","content":")" + repeated("<image>", 20000) + "\"}]}", 400,
       "context_length_exceeded"}};
}

std::vector<Case> image_cases() {
  return {{"http", kChat, image("http://127.0.0.1/a.png"), 400, "remote_images_disabled"},
          {"https", kChat, image("https://example.org/a.png"), 400, "remote_images_disabled"},
          {"file", kChat, image("file:///etc/passwd"), 400, "invalid_image_url"},
          {"path", kChat, image("/etc/passwd"), 400, "invalid_image_url"},
          {"gopher", kChat, image("gopher://127.0.0.1/"), 400, "invalid_image_url"},
          {"empty", kChat, image(""), 400, "invalid_image_url"},
          {"no bytes", kChat, image("data:image/png;base64,"), 400, "empty_image_file"},
          {"bad base64", kChat, image("data:image/png;base64,A*=="), 400, "invalid_base64_image"},
          {"no comma", kChat, image("data:image/png;base64"), 400, "invalid_image_url"},
          {"not base64", kChat, image("data:image/png,abc"), 400, "invalid_base64_image"},
          {"text", kChat, image("data:text/html;base64,AAAA"), 400, "unsupported_image_media_type"},
          {"svg", kChat, image("data:image/svg+xml;base64,PHN2Zz48L3N2Zz4="), 415,
           "unsupported_image_media_type"},
          {"a pdf", kChat, image("data:image/png;base64,JVBERi0xLjQK"), 415, "unsupported_image_media_type"},
          {"detail of no kind", kChat,
           part(R"({"type":"image_url","image_url":{"url":")" + test::data_uri() + R"(","detail":"ultra"}})"),
           400, "invalid_value"}};
}

std::vector<Case> number_cases() {
  std::vector<Case> cases;
  const auto add = [&](const char* name, const std::string& field) {
    cases.push_back({name, kChat, with(field), 400, "invalid_value"});
  };
  add("n of a billion", R"("n":1000000000)");
  add("n of 0", R"("n":0)");
  add("n below 0", R"("n":-1)");
  add("n of 1.5", R"("n":1.5)");
  add("n of a text", R"("n":"2")");
  add("n over 2^64", R"("n":99999999999999999999)");
  add("no tokens", R"("max_completion_tokens":0)");
  add("tokens below -1", R"("max_completion_tokens":-2)");
  add("tokens of -2^63", R"("max_completion_tokens":-9223372036854775808)");
  add("tokens of a text", R"("max_completion_tokens":"many")");
  add("tokens of 2^64", R"("max_completion_tokens":18446744073709551615)");
  add("temperature below 0", R"("temperature":-0.1)");
  add("temperature of a text", R"("temperature":"hot")");
  add("temperature of a list", R"("temperature":[1])");
  add("temperature of 1e300", R"("temperature":1e300)");
  add("top_p below 0", R"("top_p":-1)");
  add("top_p over 1", R"("top_p":1.01)");
  add("top_k below -1", R"("top_k":-2)");
  add("min_p over 1", R"("min_p":2)");
  add("frequency_penalty over 2", R"("frequency_penalty":3)");
  add("presence_penalty below -2", R"("presence_penalty":-3)");
  add("repetition_penalty of 0", R"("repetition_penalty":0)");
  add("repeat_penalty below 0", R"("repeat_penalty":-1)");
  add("seed of a text", R"("seed":"x")");
  add("seed of 1.5", R"("seed":1.5)");
  add("seed below -1", R"("seed":-5)");
  add("stop of a number", R"("stop":5)");
  add("100,000 stops", "\"stop\":[" + repeated("\"a\",", 99999) + "\"a\"]");
  add("stop of numbers", R"("stop":[1,2])");
  add("stop_token_ids of a text", R"("stop_token_ids":"a")");
  add("stop_token_ids below 0", R"("stop_token_ids":[-1])");
  add("stop_token_ids over 2^31", R"("stop_token_ids":[4294967296])");
  add("logit_bias of a number", R"("logit_bias":5)");
  add("logit_bias of no id", R"("logit_bias":{"cat":1})");
  add("logit_bias below 0", R"("logit_bias":{"-1":1})");
  add("logit_bias over 100", R"("logit_bias":{"1":101})");
  add("logit_bias of a text", R"("logit_bias":{"1":"x"})");
  add("logit_bias of triples", R"("logit_bias":[[1,2,3]])");
  add("logit_bias of 1e9 id", R"("logit_bias":[[1e10,1]])");
  add("stream of a text", R"("stream":"yes")");
  add("stream of a number", R"("stream":1)");
  add("stream_options of a list", R"("stream_options":[])");
  add("include_usage of a number", R"("stream_options":{"include_usage":1})");
  add("logprobs of a text", R"("logprobs":"all")");
  add("top_logprobs over 20", R"("logprobs":true,"top_logprobs":21)");
  add("top_logprobs below 0", R"("logprobs":true,"top_logprobs":-1)");
  add("top_logprobs alone", R"("top_logprobs":5)");
  add("best_of other than n", R"("n":1,"best_of":2)");
  add("ignore_eos of a text", R"("ignore_eos":"no")");
  add("model of a number", R"("model":5)");
  add("kwargs of a text", R"("chat_template_kwargs":"x")");
  add("modalities of audio", R"("modalities":["audio"])");
  return cases;
}

std::vector<Case> form_cases() {
  std::vector<Case> cases;
  const auto add = [&](const char* name, const std::string& field, const char* code = "invalid_value") {
    cases.push_back({name, kChat, with(field), 400, code});
  };
  add("format of a text", R"("response_format":"json")");
  add("format of no kind", R"("response_format":{"type":"xml"})");
  add("format without a schema", R"("response_format":{"type":"json_schema"})");
  add("format with an empty schema object", R"("response_format":{"type":"json_schema","json_schema":{}})");
  add("schema of a number", R"("response_format":{"type":"json_schema","json_schema":{"schema":5}})");
  add("schema of a list", R"("json_schema":[1])");
  add("two forms", R"("response_format":{"type":"json_object"},"guided_regex":"a")");
  add("two forms of one", R"("structured_outputs":{"regex":"a","json":{}})");
  add("choice of a number", R"("guided_choice":5)");
  add("choice of numbers", R"("guided_choice":[1])");
  add("regex of a number", R"("guided_regex":5)");
  add("tools of a text", R"("tools":"x")");
  add("tools of numbers", R"("tools":[1],"tool_choice":"required")");
  add("tool without a name", R"("tools":[{"type":"function","function":{}}],"tool_choice":"required")");
  add("tool_choice of no kind",
      R"("tools":[{"type":"function","function":{"name":"a"}}],"tool_choice":"perhaps")");
  add("tool_choice of none of them",
      R"("tools":[{"type":"function","function":{"name":"a"}}],"tool_choice":{"type":"function","name":"b"})");
  add("a chat template", R"("chat_template":"{{ 1 }}")", "unsupported_parameter");
  add("functions", R"("functions":[])", "unsupported_parameter");
  add("audio", R"("audio":{})", "unsupported_parameter");
  return cases;
}

std::vector<Case> route_cases() {
  return {
      {"completion without a prompt", "/v1/completions", "{}", 400, "invalid_value"},
      {"completion of an object", "/v1/completions", R"({"prompt":{}})", 400, "invalid_value"},
      {"completion of an empty text", "/v1/completions", R"({"prompt":""})", 400, "input_invalid"},
      {"completion of no prompts", "/v1/completions", R"({"prompt":[]})", 400, "input_invalid"},
      {"completion of 65 prompts", "/v1/completions", R"({"prompt":[)" + repeated("\"a\",", 64) + "\"a\"]}",
       400, "invalid_value"},
      {"ids below 0", "/v1/completions", R"({"prompt":[-1]})", 400, "invalid_value"},
      {"ids of texts", "/v1/completions", R"({"prompt":[1,"a"]})", 400, "invalid_value"},
      {"ids of no token", "/v1/completions", R"({"prompt":[2000000000]})", 400, "invalid_value"},
      {"logprobs over 20", "/v1/completions", R"({"prompt":"a","logprobs":21})", 400, "invalid_value"},
      {"suffix", "/v1/completions", R"({"prompt":"a","suffix":"b"})", 400, "unsupported_parameter"},
      {"n_probs over 20", "/completion", R"({"prompt":"a","n_probs":1000000})", 400, "invalid_value"},
      {"responses without input", "/v1/responses", "{}", 400, "invalid_value"},
      {"responses of a number", "/v1/responses", R"({"input":5})", 400, "invalid_value"},
      {"responses of no items", "/v1/responses", R"({"input":[]})", 400, "invalid_value"},
      {"item of no kind", "/v1/responses", R"({"input":[{"type":"computer_call"}]})", 400, "invalid_value"},
      {"item of a number", "/v1/responses", R"({"input":[5]})", 400, "invalid_value"},
      {"tool of a number's kind", "/v1/responses",
       R"({"input":"a","tools":[{"type":5}],"tool_choice":"required"})", 400, "invalid_value"},
      {"tool without letters", kChat, with(R"("tools":[{"function":{"name":""}}],"tool_choice":"required")"),
       400, "invalid_value"},
      {"tool of any name", kChat, with(R"("tools":[{"function":{"name":"*"}}],"tool_choice":"required")"),
       400, "invalid_value"},
      {"more functions than can be followed", kChat,
       with("\"tool_choice\":\"required\",\"tools\":[" + repeated(R"({"function":{"name":"f"}},)", 200) +
            R"({"function":{"name":"f"}}])"),
       400, "invalid_value"},
      {"a key of many letters", kChat, with("\"logit_bias\":{\"" + repeated("0", 100000) + "1\":\"x\"}"), 400,
       "invalid_value"},
      {"stored responses", "/v1/responses", R"({"input":"a","previous_response_id":"resp_1"})", 400,
       "unsupported_parameter"},
      {"embedding by a model that answers", "/v1/embeddings", R"({"input":"a"})", 404, "model_not_found"},
      {"classify by a model that answers", "/v1/classify", R"({"input":"a","labels":["b"]})", 404,
       "model_not_found"},
      {"tokenize more than a million", "/tokenize",
       "{\"content\":\"" + repeated("a b ", 400000) + "\",\"with_pieces\":true}", 400, "invalid_value"},
      {"tokenize nothing", "/tokenize", "{}", 400, "invalid_value"},
      {"tokenize a list", "/tokenize", R"({"content":["a"]})", 400, "invalid_value"},
      {"add_special of a text", "/tokenize", R"({"content":"a","add_special":"x"})", 400, "invalid_value"},
      {"detokenize a text", "/detokenize", R"({"tokens":"a"})", 400, "invalid_value"},
      {"detokenize below 0", "/detokenize", R"({"tokens":[-1]})", 400, "invalid_value"},
      {"detokenize floats", "/detokenize", R"({"tokens":[1.5]})", 400, "invalid_value"},
      {"template of nothing", "/apply-template", "{}", 400, "invalid_value"}};
}

class ApiHostile : public testing::TestWithParam<Case> {};

TEST_P(ApiHostile, IsToldWhatIsWrong) {
  static test::Api api;
  static const std::string canary = api.post(kChat, question("Hi")).json["choices"][0]["message"]["content"];
  const Case& one = GetParam();
  const Reply reply = api.ask("POST", one.path, one.body);
  EXPECT_EQ(reply.status, one.status) << one.name << ": " << reply.body.substr(0, 400);
  EXPECT_EQ(reply.code(), one.code) << one.name << ": " << reply.body.substr(0, 400);
  EXPECT_LT(reply.body.size(), 4096U) << one.name;
  ASSERT_NE(http::find(reply.headers, "x-should-retry"), nullptr);
  EXPECT_EQ(*http::find(reply.headers, "x-should-retry"), "false");
  EXPECT_EQ(api.post(kChat, question("Hi")).json["choices"][0]["message"]["content"], canary);
}

std::string name_of(const testing::TestParamInfo<Case>& info) {
  std::string name = std::to_string(info.index) + "_";
  for (const char* c = info.param.name; *c; ++c)
    name += std::isalnum(static_cast<unsigned char>(*c)) ? *c : '_';
  return name;
}

INSTANTIATE_TEST_SUITE_P(Json, ApiHostile, testing::ValuesIn(json_cases()), name_of);
INSTANTIATE_TEST_SUITE_P(Messages, ApiHostile, testing::ValuesIn(message_cases()), name_of);
INSTANTIATE_TEST_SUITE_P(Images, ApiHostile, testing::ValuesIn(image_cases()), name_of);
INSTANTIATE_TEST_SUITE_P(Numbers, ApiHostile, testing::ValuesIn(number_cases()), name_of);
INSTANTIATE_TEST_SUITE_P(Forms, ApiHostile, testing::ValuesIn(form_cases()), name_of);
INSTANTIATE_TEST_SUITE_P(Routes, ApiHostile, testing::ValuesIn(route_cases()), name_of);

}  // namespace
}  // namespace galago
