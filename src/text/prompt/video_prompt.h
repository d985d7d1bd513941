// Video placeholders written out: one "<video>" of a rendered prompt becomes an introduction, then for each
// frame its time and its image tokens. In: prompt segments, each video's times, rows per tile. Out: segments
// with one image token per row. Reference: transformers 5.18 SmolVLMProcessor.replace_video_token.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "text/prompt/image_prompt.h"
#include "text/segment.h"

namespace galago {

/// The frames of one video as its prompt tells them.
struct VideoTimes {
  std::vector<double> seconds;  ///< when each frame is shown
  double duration = 0;          ///< seconds, of the whole video
};

/// Replaces the placeholders `video` of control segments, in order; user segments are left as they are unless
/// parse_special. Every introduction names the number of frames of the longest video, as the reference does,
/// which pads the others. Error{input_invalid} when placeholders and videos differ in number,
/// Error{input_too_large} over limits::kPromptBytes.
Segments expand_video_prompt(const Segments& prompt, std::span<const VideoTimes> videos,
                             const std::string& video, int64_t rows_per_frame, const ImageTokens& tokens,
                             bool parse_special = false);

/// A number below a million in English, as the package num2words writes it: "one hundred and five".
std::string number_in_words(int64_t number);
/// "01:05"; minutes count on beyond 59.
std::string minutes_and_seconds(double seconds);
/// "0:01:05", with days in front from one day on, as Python prints a timedelta.
std::string hours_minutes_seconds(int64_t seconds);

}  // namespace galago
