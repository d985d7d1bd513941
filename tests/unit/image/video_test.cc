// Videos against the reference's video processor: which frames are sampled, torch's resize bit for bit, tiles
// and floats; and what is refused. The tables are made by tools/oracle/make_idefics.py.
#include "image/video.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "core/limits.h"
#include "galago/error.h"
#include "image/resize.h"
#include "image_test_support.h"
#include "support/devices.h"
#include "support/fixtures.h"

namespace galago {
namespace {

using namespace image_test;
using test::error_of;

nlohmann::json table(const std::string& name) { return read_table("../video/" + name); }

uint32_t crc(const void* data, size_t bytes) {
  return static_cast<uint32_t>(crc32_z(0, static_cast<const Bytef*>(data), bytes));
}

VideoConfig sampling(double fps, int64_t most) {
  VideoConfig config;
  config.num_frames = most;
  config.fps = fps;
  return config;
}

VideoFacts facts(int64_t frames, double fps) {
  return {.size = {8, 8}, .frames = frames, .fps = fps, .duration = static_cast<double>(frames) / fps};
}

TEST(SampleFrames, TakesTheFramesOfTheReference) {
  const nlohmann::json rows = table("sampling.json");
  EXPECT_GT(rows.size(), 500U);
  for (const auto& row : rows) {
    const std::vector<int64_t> frames = sample_frames(facts(row[0], row[1]), sampling(row[2], row[3]));
    const std::string list = nlohmann::json(frames).dump();
    std::string python;  // its lists have a space after each comma
    for (const char c : list) python += c == ',' ? std::string(", ") : std::string(1, c);
    EXPECT_EQ(crc(python.data(), python.size()), row[4].get<uint32_t>()) << row.dump() << " " << list;
  }
}

TEST(SampleFrames, TakesAllWithoutSettings) {
  EXPECT_EQ(sample_frames(facts(3, 1), {}), (std::vector<int64_t>{0, 1, 2}));
  const Error error = error_of([] { sample_frames(facts(limits::kSampledFrames + 1, 1), {}); });
  EXPECT_EQ(error.code(), ErrorCode::input_too_large);
}

TEST(ResizeAsTorch, HasTheBytesOfTorch) {
  const nlohmann::json rows = table("resize.json");
  EXPECT_GT(rows.size(), 100U);
  for (const auto& row : rows) {
    const RgbImage out = resize(synthetic(row[0], row[1]), {row[2], row[3]},
                                filter_named(row[4].get<std::string>()), Resizer::torch, test::device());
    EXPECT_EQ(crc(out.pixels.data(), out.pixels.size()), row[5].get<uint32_t>()) << row.dump();
  }
}

TEST(ResizeAsTorch, DiffersFromPillowInAFewBytesAndLittle) {
  const RgbImage image = synthetic(60, 40);
  const RgbImage torch = resize(image, {128, 128}, Resample::lanczos, Resizer::torch, test::device());
  const RgbImage pillow = resize(image, {128, 128}, Resample::lanczos, Resizer::pillow13, test::device());
  int64_t other = 0;
  for (size_t i = 0; i < torch.pixels.size(); ++i) {
    const int difference = std::abs(torch.pixels[i] - pillow.pixels[i]);
    EXPECT_LE(difference, 2);
    other += difference > 0 ? 1 : 0;
  }
  EXPECT_GT(other, 0);
  EXPECT_LT(other, static_cast<int64_t>(torch.pixels.size()) / 20);
}

TEST(FrameTile, HasTheBytesAndFloatsOfTheReference) {
  const nlohmann::json rows = table("tiles.json");
  EXPECT_GE(rows.size(), 40U);
  for (const auto& row : rows) {
    VideoConfig config;
    config.size_longest_edge = row[2];
    config.max_image_size_longest_edge = row[3];
    config.image_mean = row[4];
    config.image_std = row[5];
    const Tiles tile = make_frame_tile(synthetic(row[0], row[1]), config, test::device());
    EXPECT_EQ(crc(tile.pixels.data(), tile.pixels.size()), row[6].get<uint32_t>()) << row.dump();
    const Tensor floats = normalise_frame(tile, config, test::device());
    EXPECT_EQ(crc(floats.data(), static_cast<size_t>(floats.size()) * 4), row[7].get<uint32_t>())
        << row.dump();
  }
}

std::vector<int64_t> wanted_of(const VideoSource& video, std::vector<int64_t> wanted) {
  std::vector<int64_t> seen;
  video.decode(wanted, [&](int64_t index, const RgbImage&) { seen.push_back(index); });
  return seen;
}

std::filesystem::path clips(const std::string& name) { return data_path("animations/" + name); }

TEST(Video, OfAnAnimationHasItsTimes) {
  const auto video = open_video(clips("clip.gif"), {});
  EXPECT_EQ(video->facts().frames, 12);
  EXPECT_DOUBLE_EQ(video->facts().duration, 6.0);
  EXPECT_DOUBLE_EQ(video->facts().fps, 2.0);
  EXPECT_EQ(wanted_of(*video, {0, 5, 11}), (std::vector<int64_t>{0, 5, 11}));
  EXPECT_DOUBLE_EQ(open_video(clips("clip.gif"), 4.0)->facts().duration, 3.0);
  EXPECT_DOUBLE_EQ(open_video(clips("still.webp"), {})->facts().duration, 0.1);  // it says no time
}

TEST(Video, OfAFolderTakesPicturesByName) {
  const auto video = open_video(clips("frames"), 0.5);
  EXPECT_EQ(video->facts().frames, 4);
  EXPECT_EQ(video->facts().size.width, 90);
  EXPECT_DOUBLE_EQ(video->facts().duration, 8.0);
  std::vector<int> reds;
  const std::vector<int64_t> all = {0, 1, 2, 3};
  video->decode(all, [&](int64_t, const RgbImage& frame) { reds.push_back(frame.pixels[89 * 3]); });
  EXPECT_TRUE(std::is_sorted(reds.begin(), reds.end()));
  EXPECT_LT(reds.front(), reds.back());
}

struct Refused {
  const char* name;
  std::filesystem::path path;
  std::optional<double> fps;
  ErrorCode code;
};

TEST(HostileVideo, EveryBadVideoHasItsErrorCode) {
  const test::TempDir folder;
  std::filesystem::create_directories(folder.path() / "empty" / "inner");
  std::filesystem::create_directories(folder.path() / "sizes");
  std::filesystem::create_directories(folder.path() / "text");
  std::filesystem::copy(clips("frames/frame_0.png"), folder.path() / "sizes" / "a.png");
  std::filesystem::copy(data_path("png_rgb_8.png"), folder.path() / "sizes" / "b.png");
  std::filesystem::copy(clips("frames/frame_0.png"), folder.path() / "text" / "a.png");
  folder.add("text/b.png", "no picture");
  folder.add("empty/.hidden", "");
  folder.add("clip.mp4", std::string("\0\0\0\x18"
                                     "ftypmp42\0\0\0\0",
                                     16));
  folder.add("clip.mkv", "\x1a\x45\xdf\xa3 and so on");
  folder.add("clip.avi", std::string("RIFF\0\0\0\0AVI LIST", 16));
  folder.add("nothing.gif", "");
  const std::vector<Refused> rows = {
      {"missing", folder.path() / "missing.gif", {}, ErrorCode::not_found},
      {"empty file", folder.path() / "nothing.gif", {}, ErrorCode::input_invalid},
      {"mp4", folder.path() / "clip.mp4", {}, ErrorCode::unsupported_media},
      {"matroska", folder.path() / "clip.mkv", {}, ErrorCode::unsupported_media},
      {"avi", folder.path() / "clip.avi", {}, ErrorCode::unsupported_media},
      {"still picture", data_path("png_rgb_8.png"), {}, ErrorCode::unsupported_media},
      {"folder without fps", clips("frames"), {}, ErrorCode::usage},
      {"fps of 0", clips("clip.gif"), 0.0, ErrorCode::usage},
      {"negative fps", clips("frames"), -1.0, ErrorCode::usage},
      {"fps beyond the limit", clips("clip.gif"), limits::kVideoFps + 1, ErrorCode::usage},
      {"fps that is no number", clips("clip.gif"), std::nan(""), ErrorCode::usage},
      {"endless fps", clips("clip.gif"), HUGE_VAL, ErrorCode::usage},
      {"folder without pictures", folder.path() / "empty", 1.0, ErrorCode::input_invalid},
      {"frames of two sizes", folder.path() / "sizes", 1.0, ErrorCode::input_invalid},
      {"a frame that is text", folder.path() / "text", 1.0, ErrorCode::unsupported_media},
  };
  for (const Refused& row : rows) {
    SCOPED_TRACE(row.name);
    const Error error = error_of([&] {
      const auto video = open_video(row.path, row.fps);
      std::vector<int64_t> all(static_cast<size_t>(video->facts().frames));
      for (size_t i = 0; i < all.size(); ++i) all[i] = static_cast<int64_t>(i);
      wanted_of(*video, all);
    });
    EXPECT_STREQ(to_string(error.code()), to_string(row.code)) << error.what();
    EXPECT_FALSE(error.where().empty());
  }
}

TEST(HostileVideo, FramesInMemoryAreChecked) {
  const auto one = std::make_shared<const RgbImage>(synthetic(4, 4));
  const auto other = std::make_shared<const RgbImage>(synthetic(4, 5));
  EXPECT_EQ(error_of([&] { video_of_frames({}, 1); }).code(), ErrorCode::input_invalid);
  EXPECT_EQ(error_of([&] { video_of_frames({one, other}, 1); }).code(), ErrorCode::input_invalid);
  EXPECT_EQ(error_of([&] { video_of_frames({one}, 0); }).code(), ErrorCode::usage);
  EXPECT_EQ(wanted_of(*video_of_frames({one, one}, 2), {1}), std::vector<int64_t>{1});
}

TEST(HostileVideo, ACanvasThatGrowsIsNoVideo) {
  const nlohmann::json rows = read_table("animations/animations.json");
  int grown = 0;
  for (const auto& row : rows["rows"]) {
    const auto& frames = row["frames"];
    if (frames.front()[0] == frames.back()[0] && frames.front()[1] == frames.back()[1]) continue;
    ++grown;
    const auto video = open_video(clips(row["file"]), {});
    EXPECT_EQ(error_of([&] { wanted_of(*video, {0}); }).code(), ErrorCode::input_invalid);
  }
  EXPECT_GT(grown, 3);
}

}  // namespace
}  // namespace galago
