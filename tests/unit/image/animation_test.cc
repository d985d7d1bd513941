// Every frame of an animation has the pixels and the duration that Pillow gives it; bad animations have their
// error codes, and limits hold before pixels are allocated.
#include "image/animation.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cctype>
#include <numeric>
#include <ostream>

#include "core/limits.h"
#include "galago/error.h"
#include "image_test_support.h"
#include "support/allocation.h"

namespace galago {
namespace {

using namespace image_test;

struct FrameGolden {
  int64_t width = 0;
  int64_t height = 0;
  int64_t duration_ms = 0;
  std::string crc32;
};

struct AnimationGolden {
  std::string file;
  std::vector<FrameGolden> frames;
};

void PrintTo(const AnimationGolden& golden, std::ostream* out) { *out << golden.file; }

std::vector<AnimationGolden> animation_goldens() {
  std::vector<AnimationGolden> goldens;
  const nlohmann::json table = read_table("animations/animations.json");
  for (const auto& row : table["rows"]) {
    AnimationGolden golden{.file = row["file"], .frames = {}};
    for (const auto& frame : row["frames"]) golden.frames.push_back({frame[0], frame[1], frame[2], frame[3]});
    goldens.push_back(std::move(golden));
  }
  return goldens;
}

std::vector<std::byte> animation(const std::string& name) { return read_bytes("animations/" + name); }

class DecodedAnimation : public testing::TestWithParam<AnimationGolden> {};

TEST_P(DecodedAnimation, HasTheFramesOfPillow) {
  const AnimationGolden& golden = GetParam();
  const std::vector<std::byte> bytes = animation(golden.file);
  std::vector<int64_t> all(golden.frames.size());
  std::iota(all.begin(), all.end(), 0);
  int64_t seen = 0;
  decode_animation(bytes, golden.file, all, [&](int64_t index, const RgbImage& frame) {
    SCOPED_TRACE("frame " + std::to_string(index));
    ASSERT_EQ(index, seen++);
    EXPECT_EQ(frame.width, golden.frames[index].width);
    EXPECT_EQ(frame.height, golden.frames[index].height);
    EXPECT_EQ(checksum(frame.pixels.data(), frame.pixels.size()), golden.frames[index].crc32);
  });
  EXPECT_EQ(seen, static_cast<int64_t>(golden.frames.size()));
}

TEST_P(DecodedAnimation, HasTheDurationsOfPillow) {
  const AnimationGolden& golden = GetParam();
  const Animation read = read_animation(animation(golden.file), golden.file);
  ASSERT_EQ(read.durations_ms.size(), golden.frames.size());
  for (size_t i = 0; i < golden.frames.size(); ++i)
    EXPECT_EQ(read.durations_ms[i], golden.frames[i].duration_ms) << "frame " << i;
  EXPECT_EQ(read.size.width, golden.frames.back().width);
  EXPECT_EQ(read.size.height, golden.frames.back().height);
}

INSTANTIATE_TEST_SUITE_P(Goldens, DecodedAnimation, testing::ValuesIn(animation_goldens()),
                         [](const auto& golden) {
                           std::string name = golden.param.file;
                           std::replace_if(
                               name.begin(), name.end(), [](char c) { return std::isalnum(c) == 0; }, '_');
                           return name;
                         });

TEST(Animation, HandsOutOnlyWhatIsWanted) {
  const std::vector<std::byte> bytes = animation("key_frames.webp");
  std::vector<int64_t> seen;
  const std::vector<int64_t> wanted = {1, 4, 7};
  decode_animation(bytes, "a", wanted, [&](int64_t index, const RgbImage&) { seen.push_back(index); });
  EXPECT_EQ(seen, wanted);
}

TEST(Animation, RefusesFramesItLacks) {
  const std::vector<std::byte> bytes = animation("plain.gif");
  for (const std::vector<int64_t>& wanted : {std::vector<int64_t>{3}, {-1, 0}, {1, 0}})
    EXPECT_THROW(decode_animation(bytes, "a", wanted, [](int64_t, const RgbImage&) {}), Error);
}

// Hostile files -----------------------------------------------------------------------------------

using Bytes = std::string;

Bytes text_of(const std::string& name) {
  const std::vector<std::byte> bytes = animation(name);
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

Bytes repeat(const Bytes& part, int64_t times) {
  Bytes all;
  for (int64_t i = 0; i < times; ++i) all += part;
  return all;
}

/// A GIF with a screen, then `times` frames of one pixel.
Bytes tiny_frames(const Bytes& screen, const Bytes& control, int64_t times) {
  const Bytes frame = control + Bytes(",\0\0\0\0\1\0\1\0\0\2\2\x44\1\0", 15);
  return "GIF89a" + screen + Bytes(3, '\0') + repeat(frame, times) + ";";
}

Bytes patched(Bytes bytes, size_t at, std::string_view with) { return bytes.replace(at, with.size(), with); }

Bytes without_last(const Bytes& bytes, size_t count) { return bytes.substr(0, bytes.size() - count); }

struct Hostile {
  const char* name;
  Bytes bytes;
  ErrorCode code;
};

std::vector<Hostile> hostile_animations() {
  const Bytes gif = text_of("plain.gif");
  const Bytes webp = text_of("lossless.webp");
  const Bytes one("\1\0\1\0", 4);
  const Bytes longest("!\xf9\4\0\xff\xff\0\0", 8);
  const size_t second = gif.find("!\xf9", gif.find("!\xf9") + 2);
  const size_t frame = webp.find("ANMF");
  constexpr ErrorCode invalid = ErrorCode::input_invalid;
  constexpr ErrorCode large = ErrorCode::input_too_large;
  constexpr ErrorCode unsupported = ErrorCode::unsupported_media;
  std::vector<Hostile> rows;
  const auto add = [&](const char* name, Bytes bytes, ErrorCode code) {
    rows.push_back({name, std::move(bytes), code});
  };
  add("empty", "", invalid);
  add("gif_magic_alone", gif.substr(0, 6), invalid);
  add("gif_without_frame", "GIF89a" + one + Bytes(3, '\0') + ";", invalid);
  add("gif_without_anything", "GIF89a" + one + Bytes(3, '\0'), invalid);
  add("gif_cut_in_second_control", gif.substr(0, second + 4), invalid);
  add("gif_cut_in_second_frame", gif.substr(0, second + 60), invalid);
  add("gif_cut_near_the_end", without_last(gif, 6), invalid);
  add("gif_unknown_record_after_a_frame", without_last(gif, 1) + "Q", invalid);
  add("gif_second_frame_of_no_width", patched(gif, second + 8 + 5, Bytes(2, '\0')), invalid);
  add("gif_second_frame_beyond_limits", patched(gif, second + 8 + 1, Bytes(8, '\xff')), large);
  add("gif_screen_of_4_billion", tiny_frames("\xff\xff\xff\xff", "", 1), large);
  add("gif_frames_times_canvas", tiny_frames(Bytes("\0\x20\0\x20", 4), "", 70), large);
  add("gif_too_many_frames", tiny_frames(one, "", limits::kVideoFrames + 1), large);
  add("gif_of_two_days", tiny_frames(one, longest, 300), large);
  add("gif_code_size_13", patched(gif, second + 8 + 10, "\x0d"), invalid);
  add("gif_extension_cut", without_last(gif, 1) + "!\xf9\4", invalid);
  add("webp_magic_alone", webp.substr(0, 12), invalid);
  add("webp_cut_in_the_middle", webp.substr(0, webp.size() / 2), invalid);
  add("webp_without_frames",
      "RIFF" + Bytes("\x26\0\0\0", 4) + "WEBP" + webp.substr(12, 18) + webp.substr(30, 14), invalid);
  add("webp_frame_garbage", patched(webp, frame + 8 + 16 + 8 + 5, Bytes(30, '\xff')), invalid);
  add("webp_frame_beyond_canvas", patched(webp, frame + 8, "\xff\xff\xff"), invalid);
  add("webp_canvas_beyond_limits", patched(webp, 24, "\xff\xff\xff\xff\xff\xff"), invalid);
  add("webp_size_lies", patched(webp, 4, "\x10"), invalid);
  add("jpeg", "\xff\xd8\xff\xe0 and so on", unsupported);
  add("png", "\x89PNG\r\n\x1a\n and so on", unsupported);
  add("mp4",
      Bytes("\0\0\0\x18"
            "ftypmp42",
            12),
      unsupported);
  add("matroska", "\x1a\x45\xdf\xa3 and so on", unsupported);
  add("avi", Bytes("RIFF\0\0\0\0AVI LIST", 16), unsupported);
  add("text", "frames, please", unsupported);
  return rows;
}

TEST(HostileAnimation, EveryBadFileHasItsErrorCode) {
  for (const Hostile& hostile : hostile_animations()) {
    SCOPED_TRACE(hostile.name);
    const auto* data = reinterpret_cast<const std::byte*>(hostile.bytes.data());
    const test::AllocationWatch watch;
    try {
      const std::span<const std::byte> bytes(data, hostile.bytes.size());
      const Animation read = read_animation(bytes, hostile.name);
      std::vector<int64_t> all(read.durations_ms.size());
      std::iota(all.begin(), all.end(), 0);
      decode_animation(bytes, hostile.name, all, [](int64_t, const RgbImage&) {});
      ADD_FAILURE() << "was decoded";
    } catch (const Error& error) {
      EXPECT_STREQ(to_string(error.code()), to_string(hostile.code)) << error.what();
      EXPECT_EQ(error.where(), hostile.name);
      EXPECT_FALSE(error.got().empty());
      EXPECT_EQ(error.hint().find("--video") != std::string::npos,
                hostile.code == ErrorCode::unsupported_media);
    }
    EXPECT_LT(watch.peak(), 8 << 20);
  }
}

}  // namespace
}  // namespace galago
