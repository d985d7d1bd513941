// Times are cut to whole seconds, never rounded. In: segments, times. Out: segments.
// Reference: transformers 5.18 processing_smolvlm.py; Python's datetime.timedelta; num2words 0.5.14
// (English).
#include "text/prompt/video_prompt.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <optional>

#include "core/checked.h"
#include "core/limits.h"
#include "galago/error.h"
#include "text/marked_text.h"

namespace galago {
namespace {

constexpr std::array<const char*, 20> kOnes = {"zero",    "one",     "two",       "three",    "four",
                                               "five",    "six",     "seven",     "eight",    "nine",
                                               "ten",     "eleven",  "twelve",    "thirteen", "fourteen",
                                               "fifteen", "sixteen", "seventeen", "eighteen", "nineteen"};
constexpr std::array<const char*, 10> kTens = {"",      "",      "twenty",  "thirty", "forty",
                                               "fifty", "sixty", "seventy", "eighty", "ninety"};

std::string two_digits(int64_t number) {
  std::string digits = std::to_string(number);
  if (digits.size() < 2) digits.insert(0, 1, '0');
  return digits;
}

std::string below_hundred(int64_t number) {
  if (number < 20) return kOnes[static_cast<size_t>(number)];
  const std::string tens = kTens[static_cast<size_t>(number / 10)];
  return number % 10 == 0 ? tens : tens + "-" + kOnes[static_cast<size_t>(number % 10)];
}

std::string below_thousand(int64_t number) {
  if (number < 100) return below_hundred(number);
  const std::string hundreds = std::string(kOnes[static_cast<size_t>(number / 100)]) + " hundred";
  return number % 100 == 0 ? hundreds : hundreds + " and " + below_hundred(number % 100);
}

std::vector<size_t> places_of(const MarkedText& prompt, const std::string& word, bool parse_special) {
  std::vector<size_t> found;
  for (size_t at = prompt.text().find(word); at != std::string::npos; at = prompt.text().find(word, at)) {
    const bool counts = parse_special || !prompt.any_user(at, at + word.size());
    if (counts) found.push_back(at);
    at += counts ? word.size() : 1;
  }
  return found;
}

std::string frame_rows(int64_t rows, const ImageTokens& tokens) {
  std::string text = tokens.fake + tokens.global_image;
  for (int64_t i = 0; i < rows; ++i) text += tokens.image;
  return text + tokens.fake;
}

std::string expansion(const VideoTimes& video, size_t frames_said, const std::string& frame) {
  std::string text = "You are provided the following series of " +
                     number_in_words(static_cast<int64_t>(frames_said)) + " frames from a " +
                     hours_minutes_seconds(static_cast<int64_t>(video.duration)) + " [H:MM:SS] video.\n";
  for (const double second : video.seconds)
    text += "\nFrame from " + minutes_and_seconds(second) + ":" + frame;
  return text + "\n\n";
}

// Counted before anything is written.
void check_size(const MarkedText& prompt, std::span<const VideoTimes> videos, int64_t rows,
                const ImageTokens& tokens) {
  constexpr int64_t kWordsAround = 256;  // of an introduction, and of a frame's time
  const auto frame = checked_mul(rows, static_cast<int64_t>(tokens.image.size()));
  std::optional<int64_t> total = static_cast<int64_t>(prompt.size());
  for (const VideoTimes& video : videos) {
    const auto one =
        frame ? checked_add(*frame, kWordsAround + static_cast<int64_t>(2 * tokens.fake.size() +
                                                                        tokens.global_image.size()))
              : std::nullopt;
    const auto all = one ? checked_mul(*one, static_cast<int64_t>(video.seconds.size()) + 1) : std::nullopt;
    total = total && all ? checked_add(*total, *all) : std::nullopt;
  }
  if (total && *total <= limits::kPromptBytes) return;
  throw Error(ErrorCode::input_too_large,
              {.where = "prompt with " + std::to_string(videos.size()) + " videos",
               .got = total ? std::to_string(*total) + " bytes" : "more bytes than can be counted",
               .expected = "at most " + std::to_string(limits::kPromptBytes)});
}

}  // namespace

std::string number_in_words(int64_t number) {
  if (number < 1000) return below_thousand(number);
  std::string thousands = below_thousand(number / 1000) + " thousand";
  const int64_t rest = number % 1000;
  if (rest == 0) return thousands;
  return thousands.append(rest < 100 ? " and " : ", ").append(below_thousand(rest));
}

std::string minutes_and_seconds(double seconds) {
  const auto whole = static_cast<int64_t>(std::floor(seconds));
  return two_digits(whole / 60) + ":" + two_digits(whole % 60);
}

std::string hours_minutes_seconds(int64_t seconds) {
  constexpr int64_t kDay = 24 * 60 * 60;
  const int64_t days = seconds / kDay;
  const int64_t rest = seconds % kDay;
  const std::string clock =
      std::to_string(rest / 3600) + ":" + two_digits(rest / 60 % 60) + ":" + two_digits(rest % 60);
  if (days == 0) return clock;
  return std::to_string(days) + (days == 1 ? " day, " : " days, ") + clock;
}

Segments expand_video_prompt(const Segments& prompt, std::span<const VideoTimes> videos,
                             const std::string& video, int64_t rows_per_frame, const ImageTokens& tokens,
                             bool parse_special) {
  const MarkedText text(prompt);
  const std::vector<size_t> places = places_of(text, video, parse_special);
  if (places.size() != videos.size())
    throw Error(ErrorCode::input_invalid,
                {.where = "prompt",
                 .got = std::to_string(places.size()) + " video placeholders",
                 .expected = std::to_string(videos.size()) + ", one for each video"});
  check_size(text, videos, rows_per_frame, tokens);
  const std::string frame = frame_rows(rows_per_frame, tokens);
  size_t frames_said = 0;
  for (const VideoTimes& one : videos) frames_said = std::max(frames_said, one.seconds.size());
  MarkedText out;
  size_t at = 0;
  for (size_t i = 0; i < places.size(); ++i) {
    out.append(text, at, places[i]);
    out.append(expansion(videos[i], frames_said, frame), false);
    at = places[i] + video.size();
  }
  out.append(text, at, text.size());
  return out.segments();
}

}  // namespace galago
