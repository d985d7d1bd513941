// `galago run --messages` from the outside: a conversation from a file or a pipe, and what is wrong with one.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "program.h"

namespace galago::test {
namespace {

using testing::HasSubstr;

const std::vector<std::string> kRun = {"run", "-m", data_path("models/smolvlm_tiles"), "-n", "8", "--json"};

Json turn(const std::string& role, Json content) { return {{"role", role}, {"content", std::move(content)}}; }
Json picture_part() { return {{"type", "image"}, {"path", data_path("pictures/shapes_100x80.png")}}; }
Json text_part(const std::string& text) { return {{"type", "text"}, {"text", text}}; }

Finished run_file(const std::string& content, const std::vector<std::string>& more = {}) {
  const TempDir directory;
  const auto file = directory.add("chat.json", content);
  return galago(kRun + std::vector<std::string>{"--messages", file} + more);
}

TEST(Messages, OneTurnIsTheQuestionItself) {
  const Json chat = {turn("system", "Be brief."), turn("user", {picture_part(), text_part("What is this?")})};
  const Finished talked = run_file(chat.dump());
  ASSERT_EQ(talked.code, 0) << talked.err;
  const Finished asked =
      galago(kRun + std::vector<std::string>{"-i", data_path("pictures/shapes_100x80.png"), "--system",
                                             "Be brief.", "-p", "What is this?"});
  EXPECT_EQ(talked.json()["prompt_token_ids"], asked.json()["prompt_token_ids"]);
  EXPECT_EQ(talked.json()["text"], asked.json()["text"]);
}

TEST(Messages, ComeThroughAPipeAsTheOpenAiApiWritesThem) {
  const Json image = {{"type", "image_url"},
                      {"image_url", {{"url", "file://" + data_path("pictures/shapes_100x80.png")}}}};
  const Json chat = {{"messages",
                      {
                          turn("user", {text_part("Look."), image}),
                          turn("assistant", "I see a "),
                      }},
                     {"continue_final_message", true}};
  const Finished talked = galago(kRun + std::vector<std::string>{"--messages", "-"}, {.input = chat.dump()});
  ASSERT_EQ(talked.code, 0) << talked.err;
  EXPECT_GT(talked.json()["usage"]["image_tokens"].get<int>(), 0);
}

TEST(Messages, WhatIsWrongIsNamed) {
  const struct {
    const char* content;
    const char* says;
  } rows[] = {
      {"{", "expected JSON"},
      {"[]", "at least one message"},
      {R"([{"content": "a"}])", "an object with \"role\""},
      {R"([{"role": "user", "content": 3}])", "messages[0].content: got 3, expected a text"},
      {R"([{"role": "user", "content": [{"type": "audio"}]}])", "text, image, image_url or video"},
      {R"([{"role": "user", "content": [{"type": "image"}]}])", "no source of the picture"},
      {R"([{"role": "user", "content": [{"type": "image", "path": "/no/such.png"}]}])", "/no/such.png"},
      {R"({"messages": [{"role": "user", "content": "a"}], "continue_final_message": 1})", "true or false"},
      {R"({"messages": [{"role": "user", "content": "a"}], "documents": []})", "documents: got a key"},
      {R"([{"role": "user", "content": "a", "x": 1e999}])", "a number beyond its range"},
      {R"([{"role": "user <image>", "content": "a"}])", "role of a message"}};
  for (const auto& row : rows) {
    const Finished finished = run_file(row.content);
    EXPECT_THAT(finished.code, testing::AnyOf(65, 66)) << finished.err;
    EXPECT_THAT(finished.err, HasSubstr(row.says));
  }
  const Finished both = galago(kRun + std::vector<std::string>{"--messages", "x.json", "-p", "a"});
  EXPECT_EQ(both.code, 64) << both.err;
}

TEST(Messages, ARateNeedsAVideo) {
  const Json chat = {turn("user", {picture_part(), text_part("What is this?")})};
  const Finished finished = run_file(chat.dump(), {"--fps", "2"});
  EXPECT_EQ(finished.code, 64) << finished.err;
  EXPECT_THAT(finished.err, HasSubstr("--fps: got no video in the conversation"));
}

}  // namespace
}  // namespace galago::test
