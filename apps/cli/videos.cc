// See the header.
#include "videos.h"

#include <chrono>
#include <memory>

#include "console.h"
#include "galago/ffmpeg.h"
#include "messages/uri.h"
#include "pictures.h"
#include "wording.h"

namespace galago::cli {
namespace {

using Time = std::chrono::steady_clock::time_point;

constexpr std::chrono::seconds kLong{5};
constexpr std::chrono::seconds kPause{1};  // between two questions of one program; more is between programs

}  // namespace

std::filesystem::path video_path(const std::string& word) {
  if (word == "-")
    throw Error(ErrorCode::usage, {.where = "--video -",
                                   .got = "standard input",
                                   .expected = "a file: a video is read from several places",
                                   .hint = "write it to a file first: cat > clip.mp4"});
  if (on_the_web(word))
    throw Error(ErrorCode::usage, {.where = shortened(word, 120),
                                   .got = "an address on the web",
                                   .expected = "a file: galago downloads nothing",
                                   .hint = "a video is read from a file: curl -L -o clip.mp4 URL"});
  return local_file(word);
}

Video video_of(const std::string& word, std::optional<double> fps) {
  const std::string path = video_path(word).string();
  if (!Video::needs_ffmpeg(path)) return Video::open(path, fps);
  FfmpegOptions options;
  options.fps = fps;
  options.keep_going = ffmpeg_watch(path);
  return Video::open_with_ffmpeg(path, options);
}

void check_fps(const std::vector<std::string>& videos, std::optional<double> fps) {
  if (fps && videos.empty())
    throw Error(ErrorCode::usage, {.where = "--fps",
                                   .got = "no video",
                                   .expected = "--video FILE",
                                   .hint = "it says how many frames of a video make a second"});
  std::error_code error;
  for (const std::string& word : videos)
    if (!fps && std::filesystem::is_directory(word, error))
      throw Error(ErrorCode::usage, {.where = "--video " + shortened(word, 120),
                                     .got = "a folder without a rate",
                                     .expected = "its frames per second: --fps 2"});
}

std::function<bool()> ffmpeg_watch(const std::string& path) {
  struct State {
    Time begin;
    Time last;
    bool said = false;
  };
  return [path, state = std::make_shared<State>()] {
    const Time now = std::chrono::steady_clock::now();
    if (now - state->last > kPause) state->begin = now;
    state->last = now;
    if (!state->said && now - state->begin > kLong) {
      state->said = true;
      notice("ffmpeg is still reading " + shortened(path, 120) + " (Ctrl-C stops it)");
    }
    return !interrupted();
  };
}

}  // namespace galago::cli
