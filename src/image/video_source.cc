// Three kinds of video: an animation held as its encoded bytes, a folder of pictures, pictures in memory.
#include <algorithm>
#include <cmath>
#include <numeric>

#include "core/limits.h"
#include "galago/error.h"
#include "image/video.h"
#include "io/files.h"

namespace galago {
namespace {

constexpr int64_t kUnsaidMs = 100;  // what viewers do with a duration of 0

double check_rate(double fps) {
  if (!(fps > 0 && fps <= limits::kVideoFps))
    throw Error(ErrorCode::usage,
                {.where = "frames per second (fps)",
                 .got = std::to_string(fps),
                 .expected = "above 0, at most " + std::to_string(static_cast<int>(limits::kVideoFps))});
  return fps;
}

void check_frame_size(ImageSize size, ImageSize first, const std::string& where) {
  if (size.width == first.width && size.height == first.height) return;
  throw Error(ErrorCode::input_invalid,
              {.where = where,
               .got = std::to_string(size.width) + "x" + std::to_string(size.height) + " pixels",
               .expected = std::to_string(first.width) + "x" + std::to_string(first.height) +
                           ": frames of a video have one size"});
}

class AnimationVideo final : public VideoSource {
 public:
  AnimationVideo(std::string bytes, std::string where, std::optional<double> fps)
      : bytes_(std::move(bytes)), where_(std::move(where)) {
    const Animation animation = read_animation(span(), where_);
    int64_t length = 0;
    for (const int64_t ms : animation.durations_ms) length += ms > 0 ? ms : kUnsaidMs;
    facts_.size = animation.size;
    facts_.frames = static_cast<int64_t>(animation.durations_ms.size());
    const auto frames = static_cast<double>(facts_.frames);
    facts_.duration = fps ? frames / check_rate(*fps) : static_cast<double>(length) / 1000;
    facts_.fps = fps ? *fps : frames / facts_.duration;
  }

  void decode(std::span<const int64_t> wanted, const TakeFrame& take) const override {
    decode_animation(span(), where_, wanted, [&](int64_t index, const RgbImage& frame) {
      check_frame_size({frame.width, frame.height}, facts_.size, where_ + ": frame " + std::to_string(index));
      take(index, frame);
    });
  }

 private:
  std::span<const std::byte> span() const { return std::as_bytes(std::span(bytes_)); }

  std::string bytes_;
  std::string where_;
};

class FolderVideo final : public VideoSource {
 public:
  FolderVideo(const std::filesystem::path& folder, double fps) : files_(pictures_in(folder)) {
    const std::string first = read_text_file(files_.front(), limits::kImageBytes);
    facts_.size = read_image_size(std::as_bytes(std::span(first)), files_.front().string());
    facts_.frames = static_cast<int64_t>(files_.size());
    facts_.fps = fps;
    facts_.duration = static_cast<double>(facts_.frames) / fps;
  }

  void decode(std::span<const int64_t> wanted, const TakeFrame& take) const override {
    for (const int64_t index : wanted) {
      const std::filesystem::path& file = files_.at(static_cast<size_t>(index));
      const RgbImage frame = load_image(file);
      check_frame_size({frame.width, frame.height}, facts_.size, file.string());
      take(index, frame);
    }
  }

 private:
  static std::vector<std::filesystem::path> pictures_in(const std::filesystem::path& folder) {
    std::vector<std::filesystem::path> files;
    std::error_code failed;
    for (std::filesystem::directory_iterator entry(folder, failed), end; !failed && entry != end;
         entry.increment(failed)) {
      std::error_code none;
      const bool hidden = entry->path().filename().string().starts_with('.');
      if (hidden || !entry->is_regular_file(none)) continue;
      files.push_back(entry->path());
      if (static_cast<int64_t>(files.size()) > limits::kVideoFrames)
        throw Error(ErrorCode::input_too_large,
                    {.where = folder.string(),
                     .got = "more files",
                     .expected = "at most " + std::to_string(limits::kVideoFrames)});
    }
    if (failed) throw Error(ErrorCode::not_found, {.where = folder.string(), .got = failed.message()});
    if (files.empty())
      throw Error(ErrorCode::input_invalid,
                  {.where = folder.string(), .got = "no files", .expected = "a folder of pictures"});
    std::sort(files.begin(), files.end());
    return files;
  }

  std::vector<std::filesystem::path> files_;
};

class FrameList final : public VideoSource {
 public:
  FrameList(std::vector<std::shared_ptr<const RgbImage>> frames, double fps) : frames_(std::move(frames)) {
    if (frames_.empty())
      throw Error(ErrorCode::input_invalid, {.where = "video", .got = "no frames", .expected = "at least 1"});
    facts_.size = size_of(*frames_.front());
    facts_.frames = static_cast<int64_t>(frames_.size());
    if (facts_.frames > limits::kVideoFrames)
      throw Error(ErrorCode::input_too_large,
                  {.where = "video",
                   .got = std::to_string(facts_.frames) + " frames",
                   .expected = "at most " + std::to_string(limits::kVideoFrames)});
    for (size_t i = 0; i < frames_.size(); ++i)
      check_frame_size(size_of(*frames_[i]), facts_.size, "video: frame " + std::to_string(i));
    facts_.fps = check_rate(fps);
    facts_.duration = static_cast<double>(facts_.frames) / fps;
  }

  void decode(std::span<const int64_t> wanted, const TakeFrame& take) const override {
    for (const int64_t index : wanted) take(index, *frames_.at(static_cast<size_t>(index)));
  }

 private:
  static ImageSize size_of(const RgbImage& image) { return {image.width, image.height}; }

  std::vector<std::shared_ptr<const RgbImage>> frames_;
};

}  // namespace

std::shared_ptr<const VideoSource> open_video(const std::filesystem::path& path, std::optional<double> fps) {
  if (fps) check_rate(*fps);
  std::error_code none;
  if (!std::filesystem::is_directory(path, none))
    return animation_of_bytes(read_text_file(path, limits::kImageBytes), path.string(), fps);
  if (!fps)
    throw Error(ErrorCode::usage, {.where = "frames per second (fps)",
                                   .got = "none",
                                   .expected = "the rate of the pictures in " + path.string()});
  return std::make_shared<FolderVideo>(path, *fps);
}

std::shared_ptr<const VideoSource> animation_of_bytes(std::string bytes, const std::string& where,
                                                      std::optional<double> fps) {
  return std::make_shared<AnimationVideo>(std::move(bytes), where, fps);
}

std::shared_ptr<const VideoSource> video_of_frames(std::vector<std::shared_ptr<const RgbImage>> frames,
                                                   double fps) {
  return std::make_shared<FrameList>(std::move(frames), fps);
}

}  // namespace galago
