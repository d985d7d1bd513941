// What a word of the command line names as a video. In: a file's or folder's name. Out: its path, or an
// answer that says how a video gets there; what is asked while ffmpeg runs.
#pragma once

#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "galago/galago.h"

namespace galago::cli {

/// The file or folder that a word names. Error{usage} for standard input and addresses on the web, and the
/// errors of local_file.
std::filesystem::path video_path(const std::string& word);

/// The video. Files that only ffmpeg reads are given to it: whoever names one on the command line asks for
/// that.
Video video_of(const std::string& word, std::optional<double> fps);

/// Error{usage} for a folder of pictures without --fps, and for --fps without a video.
void check_fps(const std::vector<std::string>& videos, std::optional<double> fps);

/// Asked several times a second while ffprobe or ffmpeg reads the file: false after Ctrl-C. A run of some
/// seconds is told on standard error, once.
std::function<bool()> ffmpeg_watch(const std::string& path);

}  // namespace galago::cli
