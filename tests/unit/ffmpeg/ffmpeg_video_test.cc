// Videos through the installed FFmpeg: facts and frames are torchcodec's, and what is no video, no program or
// no end is answered. Tests that need ffmpeg are skipped where it is not installed.
#include "ffmpeg/ffmpeg_video.h"

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <zlib.h>

#include <array>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <nlohmann/json.hpp>

#include "galago/error.h"

namespace galago {
namespace {

std::filesystem::path data_path(const std::string& name) {
  return std::filesystem::path(GALAGO_TEST_DATA) / "video" / name;
}

bool installed() {
  return std::system("ffmpeg -version >/dev/null 2>&1 && ffprobe -version >/dev/null 2>&1") == 0;
}

std::string checksum(const RgbImage& image) {
  char text[9];
  std::snprintf(text, sizeof text, "%08lx", crc32_z(0, image.pixels.data(), image.pixels.size()));
  return text;
}

template <typename Action>
ErrorCode refusal(Action action) {
  try {
    action();
  } catch (const Error& error) {
    return error.code();
  }
  ADD_FAILURE() << "was accepted";
  return ErrorCode::internal;
}

/// A program of the test's own, in the place of ffmpeg or ffprobe.
std::string script(const std::string& name, const std::string& text) {
  const std::filesystem::path file = std::filesystem::path(testing::TempDir()) / name;
  std::ofstream(file) << "#!/bin/sh\n" << text << "\n";
  chmod(file.c_str(), 0755);
  return file.string();
}

TEST(FfmpegVideo, HasTheFramesOfTorchcodec) {
  if (!installed()) GTEST_SKIP() << "ffmpeg is not installed";
  std::ifstream in(data_path("containers.json"));
  const nlohmann::json table = nlohmann::json::parse(in);
  ASSERT_GE(table["rows"].size(), 10U);
  for (const auto& row : table["rows"]) {
    SCOPED_TRACE(row["file"]);
    const auto video = open_ffmpeg_video(data_path(row["file"]), {});
    EXPECT_EQ(video->facts().frames, row["frames"]);
    EXPECT_NEAR(video->facts().fps, row["fps"].get<double>(), 1e-3);
    EXPECT_NEAR(video->facts().duration, row["duration"].get<double>(), 1e-4);
    EXPECT_EQ(video->facts().size.width, row["width"]);
    EXPECT_EQ(video->facts().size.height, row["height"]);
    const std::vector<int64_t> wanted = row["wanted"];
    std::vector<std::string> sums;
    std::vector<int64_t> indices;
    video->decode(wanted, [&](int64_t index, const RgbImage& frame) {
      indices.push_back(index);
      sums.push_back(checksum(frame));
    });
    EXPECT_EQ(indices, wanted);
    EXPECT_EQ(sums, row["crc32"].get<std::vector<std::string>>());
  }
}

TEST(FfmpegVideo, FpsReplacesTheTimesOfTheFile) {
  if (!installed()) GTEST_SKIP() << "ffmpeg is not installed";
  FfmpegOptions options;
  options.fps = 5;
  const auto video = open_ffmpeg_video(data_path("clip.mp4"), options);
  EXPECT_EQ(video->facts().fps, 5);
  EXPECT_EQ(video->facts().duration, 10);
  options.fps = 0;
  EXPECT_EQ(refusal([&] { open_ffmpeg_video(data_path("clip.mp4"), options); }), ErrorCode::usage);
}

TEST(FfmpegVideo, ContainersAreToldByTheirBytes) {
  EXPECT_EQ(video_container(data_path("clip.mp4")), "mov");
  EXPECT_EQ(video_container(data_path("vp9.webm")), "matroska");
  EXPECT_EQ(video_container(data_path("mpeg4.avi")), "avi");
  EXPECT_EQ(video_container(data_path("containers.json")), std::nullopt);
  EXPECT_EQ(video_container(data_path("../images/heic_420.heic")), std::nullopt);
  EXPECT_EQ(video_container(data_path("../images/webp_animated.webp")), std::nullopt);
  for (const char* brand : {"heic", "hevx", "hevm", "avis"}) {
    const std::filesystem::path file = std::filesystem::path(testing::TempDir()) / "brand";
    std::ofstream(file) << std::string(
                               "\0\0\0\x18"
                               "ftyp",
                               8)
                        << brand << std::string(12, '\0');
    EXPECT_EQ(video_container(file), std::nullopt) << brand;
  }
  EXPECT_EQ(refusal([] { video_container(data_path("no_such.mp4")); }), ErrorCode::not_found);
  EXPECT_EQ(refusal([] { open_ffmpeg_video(data_path("containers.json"), {}); }),
            ErrorCode::unsupported_media);
}

TEST(FfmpegVideo, AMissingProgramIsNamed) {
  FfmpegOptions options;
  options.ffprobe = "no-such-ffprobe";
  try {
    open_ffmpeg_video(data_path("clip.mp4"), options);
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::not_found);
    EXPECT_EQ(error.where(), "no-such-ffprobe");
    EXPECT_NE(error.hint().find("apt-get install ffmpeg"), std::string::npos);
  }
}

// No shell reads the name, and it cannot be taken for an option, an address or a pattern.
TEST(FfmpegVideo, StrangeNamesAreRead) {
  if (!installed()) GTEST_SKIP() << "ffmpeg is not installed";
  const std::filesystem::path folder = std::filesystem::path(testing::TempDir()) / "videos";
  std::filesystem::create_directories(folder);
  const std::string name = "-y $(touch x); \"`reboot`\" 'a' http:%d.mp4";
  std::filesystem::copy_file(data_path("clip.mp4"), folder / name,
                             std::filesystem::copy_options::overwrite_existing);
  const std::filesystem::path before = std::filesystem::current_path();
  std::filesystem::current_path(folder);
  int frames = 0;
  open_ffmpeg_video(name, {})->decode(std::vector<int64_t>{3, 7},
                                      [&](int64_t, const RgbImage&) { ++frames; });
  std::filesystem::current_path(before);
  EXPECT_EQ(frames, 2);
}

TEST(FfmpegVideo, DamagedFilesAreRefused) {
  if (!installed()) GTEST_SKIP() << "ffmpeg is not installed";
  std::ifstream in(data_path("clip.mp4"), std::ios::binary);
  const std::string whole{std::istreambuf_iterator<char>(in), {}};
  const std::filesystem::path file = std::filesystem::path(testing::TempDir()) / "damaged.mp4";
  for (const size_t keep : {size_t{12}, size_t{100}, whole.size() / 2}) {
    std::ofstream(file, std::ios::binary) << whole.substr(0, keep);
    EXPECT_EQ(refusal([&] { open_ffmpeg_video(file, {}); }), ErrorCode::input_invalid) << keep;
  }
  std::ofstream(file, std::ios::binary) << "\x1a\x45\xdf\xa3 and no more of it";
  EXPECT_EQ(refusal([&] { open_ffmpeg_video(file, {}); }), ErrorCode::input_invalid);
}

TEST(FfmpegVideo, LyingProgramsAreAnswered) {
  const std::string packets =
      "for i in 1 2 3 4; do echo \"packet|pts_time=$i|duration_time=1|flags=K_\"; done\n";
  FfmpegOptions options;
  const auto open = [&] { return open_ffmpeg_video(data_path("clip.mp4"), options); };
  options.ffprobe = script("endless_ffprobe", "yes 'packet|pts_time=1|duration_time=1|flags=K_'");
  EXPECT_EQ(refusal(open), ErrorCode::input_too_large);
  options.ffprobe = script("large_ffprobe", packets + "echo 'stream|width=60000|height=60000'");
  EXPECT_EQ(refusal(open), ErrorCode::input_too_large);
  options.ffprobe = script("empty_ffprobe", "exit 0");
  EXPECT_EQ(refusal(open), ErrorCode::input_invalid);
  options.ffprobe = script("one_line_ffprobe", "cat /dev/zero");
  EXPECT_EQ(refusal(open), ErrorCode::input_invalid);
  options.ffprobe = script("good_ffprobe", packets + "echo 'stream|width=2|height=1'");
  options.ffmpeg = script("other_size_ffmpeg", "printf 'P6\\n9 9\\n255\\n'");
  const auto decode = [&] { open()->decode(std::vector<int64_t>{0}, [](int64_t, const RgbImage&) {}); };
  EXPECT_EQ(refusal(decode), ErrorCode::input_invalid);
  options.ffmpeg = script("short_ffmpeg", "printf 'P6\\n2 1\\n255\\nabc'");
  EXPECT_EQ(refusal(decode), ErrorCode::input_invalid);
  options.ffmpeg = script("no_frame_ffmpeg", "echo 'something is wrong' >&2; exit 1");
  try {
    decode();
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.got(), "something is wrong");
  }
}

/// SIGCHLD is ignored while it lives: ended children leave no status.
class IgnoredChildren {
 public:
  IgnoredChildren() : before_(std::signal(SIGCHLD, SIG_IGN)) {}
  ~IgnoredChildren() { std::signal(SIGCHLD, before_); }
  IgnoredChildren(const IgnoredChildren&) = delete;
  IgnoredChildren& operator=(const IgnoredChildren&) = delete;

 private:
  void (*before_)(int);
};

TEST(FfmpegVideo, IsReadWhereChildrenAreIgnored) {
  if (!installed()) GTEST_SKIP() << "ffmpeg is not installed";
  const IgnoredChildren ignored;
  int frames = 0;
  open_ffmpeg_video(data_path("clip.mp4"), {})
      ->decode(std::vector<int64_t>{2, 2, 7}, [&](int64_t, const RgbImage&) { ++frames; });
  EXPECT_EQ(frames, 3);
}

}  // namespace
}  // namespace galago
