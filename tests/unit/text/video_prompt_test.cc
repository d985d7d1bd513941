// The words around frames, against num2words and Python's timedelta (tools/oracle/make_idefics.py); which
// placeholders count; and the limits.
#include "text/prompt/video_prompt.h"

#include <gtest/gtest.h>

#include <fstream>
#include <nlohmann/json.hpp>

#include "galago/error.h"
#include "support/fixtures.h"

namespace galago {
namespace {

using test::error_of;

nlohmann::json words() {
  std::ifstream in(std::string(GALAGO_TEST_DATA) + "/video/words.json");
  return nlohmann::json::parse(in);
}

TEST(VideoWords, NumbersAreThoseOfNum2words) {
  const nlohmann::json rows = words()["numbers"];
  EXPECT_GT(rows.size(), 140U);
  for (const auto& row : rows) EXPECT_EQ(number_in_words(row[0]), row[1].get<std::string>());
}

TEST(VideoWords, DurationsAreThoseOfPython) {
  const nlohmann::json table = words();
  for (const auto& row : table["durations"])
    EXPECT_EQ(hours_minutes_seconds(row[0]), row[1].get<std::string>());
}

TEST(VideoWords, TimesAreCutToSeconds) {
  EXPECT_EQ(minutes_and_seconds(0), "00:00");
  EXPECT_EQ(minutes_and_seconds(59.999), "00:59");
  EXPECT_EQ(minutes_and_seconds(65.5), "01:05");
  EXPECT_EQ(minutes_and_seconds(6000), "100:00");
}

std::string text_of(const Segments& segments) {
  std::string text;
  for (const Segment& segment : segments) text += segment.text;
  return text;
}

TEST(VideoPrompt, WritesEveryFrameWithItsTime) {
  const VideoTimes video{.seconds = {0, 1.9}, .duration = 3661.7};
  const Segments out = expand_video_prompt({{.text = "a<video>b"}}, {&video, 1}, "<video>", 2, ImageTokens());
  const std::string frame = "<fake_token_around_image><global-img><image><image><fake_token_around_image>";
  EXPECT_EQ(text_of(out),
            "aYou are provided the following series of two frames from a 1:01:01 [H:MM:SS] video.\n"
            "\nFrame from 00:00:" +
                frame + "\nFrame from 00:01:" + frame + "\n\nb");
}

TEST(VideoPrompt, EveryIntroductionNamesTheLongestVideo) {
  const std::vector<VideoTimes> videos = {{.seconds = {0}, .duration = 1},
                                          {.seconds = {0, 1, 2}, .duration = 3}};
  const std::string text =
      text_of(expand_video_prompt({{.text = "<video><video>"}}, videos, "<video>", 1, ImageTokens()));
  EXPECT_EQ(text.find("series of one"), std::string::npos);
  EXPECT_NE(text.find("series of three", text.find("series of three") + 1), std::string::npos);
}

TEST(VideoPrompt, AUsersPlaceholderIsTextUnlessAsked) {
  const VideoTimes video{.seconds = {0}, .duration = 1};
  const Segments prompt = {{.text = "<video>"}, {.text = "my <video>", .user = true}};
  const std::string text = text_of(expand_video_prompt(prompt, {&video, 1}, "<video>", 1, ImageTokens()));
  EXPECT_TRUE(text.ends_with("my <video>"));
  const Error error = error_of([&] {
    expand_video_prompt(prompt, {&video, 1}, "<video>", 1, ImageTokens(), true);
  });
  EXPECT_EQ(error.code(), ErrorCode::input_invalid);
  EXPECT_NE(error.got().find("2 video"), std::string::npos);
}

TEST(VideoPrompt, RefusesWhatCannotBeWritten) {
  const VideoTimes video{.seconds = {0}, .duration = 1};
  const auto code = [&](int64_t rows, size_t videos) {
    const std::vector<VideoTimes> list(videos, video);
    return error_of([&] { expand_video_prompt({{.text = "<video>"}}, list, "<video>", rows, ImageTokens()); })
        .code();
  };
  EXPECT_EQ(code(1, 0), ErrorCode::input_invalid);
  EXPECT_EQ(code(1, 2), ErrorCode::input_invalid);
  EXPECT_EQ(code(int64_t{1} << 40, 1), ErrorCode::input_too_large);
  EXPECT_EQ(code(int64_t{1} << 62, 1), ErrorCode::input_too_large);
}

}  // namespace
}  // namespace galago
