// Videos through an installed FFmpeg: what Video::open_with_ffmpeg needs to know. The library starts a
// program only when this is called.
#pragma once

#include <functional>
#include <optional>
#include <string>

namespace galago {

struct FfmpegOptions {
  std::optional<double> fps;      ///< replaces the file's own times, as Video::open's
  std::string ffmpeg = "ffmpeg";  ///< a path, or a name that is looked for in PATH; version 5.1 or later
  std::string ffprobe = "ffprobe";
  double seconds = 300;  ///< each run of either takes at most; Error{timeout} beyond
  /// Asked several times a second while a program runs, from the thread that reads; false stops it, and the
  /// request is cancelled. May be empty.
  std::function<bool()> keep_going;
};

}  // namespace galago
