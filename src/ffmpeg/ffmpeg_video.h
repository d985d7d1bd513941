// Videos in the containers of cameras and the web, through the programs ffprobe and ffmpeg. In: an MP4, MOV,
// WebM, Matroska, AVI, MPEG, FLV, Ogg or ASF file. Out: facts and frames, as torchcodec gives them with the
// same FFmpeg. Reference: transformers 5.18 read_video_torchcodec (seek_mode "exact"); docs/decisions/0010.
#pragma once

#include <filesystem>
#include <memory>
#include <optional>
#include <string>

#include "galago/ffmpeg.h"
#include "image/video.h"

namespace galago {

/// FFmpeg's name of the container that the file's first bytes tell, or nothing. Errors: not_found,
/// input_invalid when it is not a regular file.
std::optional<std::string> video_container(const std::filesystem::path& path);

/// Reads the times of all frames with ffprobe now, and the frames that are asked for with ffmpeg later.
/// Errors: not_found (also a missing program), unsupported_media, input_invalid, input_too_large, timeout,
/// usage.
std::shared_ptr<const VideoSource> open_ffmpeg_video(const std::filesystem::path& path,
                                                     const FfmpegOptions& options);

}  // namespace galago
