// ffprobe lists the packets of the video stream; ffmpeg writes the frames that are asked for as PPM pictures.
// Both are told which container to read, may open files only, and get the file's name where it cannot be
// taken for an option or an address. Frames are turned upright and converted to RGB by ffmpeg, as torchcodec
// lets it do.
#include "ffmpeg/ffmpeg_video.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <limits>
#include <string_view>

#include "core/limits.h"
#include "galago/error.h"
#include "image/heif_brands.h"
#include "io/files.h"
#include "io/program.h"

namespace galago {
namespace {

using namespace std::string_literals;
using namespace std::string_view_literals;

constexpr size_t kMagicBytes = 512;
constexpr size_t kSyncStep = 188;  // of MPEG transport streams

ProgramUse use_of_ffmpeg(const FfmpegOptions& options) {
  return {.purpose = "FFmpeg, which reads videos",
          .install = "install it, e.g. apt-get install ffmpeg",
          .seconds = options.seconds,
          .faster = "cut a shorter part of the video",
          .keep_going = options.keep_going};
}

std::optional<std::string> container_of(std::string_view bytes) {
  const std::string_view box = bytes.substr(std::min<size_t>(bytes.size(), 4), 4);
  if (starts_like_heif(bytes)) return std::nullopt;
  if (box == "ftyp" || box == "moov" || box == "mdat" || box == "wide") return "mov";
  if (bytes.starts_with("\x1a\x45\xdf\xa3"sv)) return "matroska";
  if (bytes.starts_with("RIFF"sv) && bytes.substr(0, 12).ends_with("AVI "sv)) return "avi";
  if (bytes.starts_with("\0\0\1\xba"sv)) return "mpeg";
  if (bytes.starts_with("FLV\1"sv)) return "flv";
  if (bytes.starts_with("OggS"sv)) return "ogg";
  if (bytes.starts_with("\x30\x26\xb2\x75\x8e\x66\xcf\x11"sv)) return "asf";
  if (bytes.starts_with("G"sv) && bytes.size() > kSyncStep && bytes[kSyncStep] == 'G') return "mpegts";
  return std::nullopt;
}

// What both programs are told before the file's name.
std::vector<std::string> input_arguments(const std::filesystem::path& path, const std::string& container) {
  return {"-protocol_whitelist",
          "file,pipe",
          "-f",
          container,
          "-i",
          "file:" + std::filesystem::absolute(path).string()};
}

// The value of `name=` in a line of fields, empty when it has none.
std::string_view field(std::string_view line, std::string_view name) {
  for (size_t at = line.find(name); at != std::string_view::npos; at = line.find(name, at + 1)) {
    const bool starts = at == 0 || line[at - 1] == '|' || line[at - 1] == ':';
    const size_t value = at + name.size();
    if (!starts || value >= line.size() || line[value] != '=') continue;
    const std::string_view rest = line.substr(value + 1);
    return rest.substr(0, rest.find('|'));
  }
  return {};
}

template <typename Number>
std::optional<Number> number_of(std::string_view text) {
  Number number{};
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return number;
}

/// What ffprobe says, in seconds.
struct Probed {
  ImageSize size;
  int64_t frames = 0;
  double begin = std::numeric_limits<double>::infinity();
  double end = -std::numeric_limits<double>::infinity();
};

void add_packet(std::string_view line, Probed& probed) {
  if (field(line, "flags").find('D') != std::string_view::npos) return;  // not to be shown
  ++probed.frames;
  std::optional<double> time = number_of<double>(field(line, "pts_time"));
  if (!time) time = number_of<double>(field(line, "dts_time"));
  if (!time) return;
  probed.begin = std::min(probed.begin, *time);
  probed.end = std::max(probed.end, *time + number_of<double>(field(line, "duration_time")).value_or(0));
}

void add_stream(std::string_view line, Probed& probed) {
  const int64_t width = number_of<int64_t>(field(line, "width")).value_or(0);
  const int64_t height = number_of<int64_t>(field(line, "height")).value_or(0);
  std::string_view turned = field(line, "rotation");
  if (turned.empty()) turned = field(line, "rotate");
  const double degrees = number_of<double>(turned).value_or(0);
  const bool sideways = std::lround(degrees / 90) % 2 != 0;
  probed.size = sideways ? ImageSize{height, width} : ImageSize{width, height};
}

[[noreturn]] void throw_failed(const Program& program, const std::filesystem::path& path, const char* name) {
  const std::string complaint = program.complaint();
  throw Error(ErrorCode::input_invalid, {.where = path.string(),
                                         .got = complaint.empty() ? std::string(name) + " failed" : complaint,
                                         .expected = std::string("a video that ") + name + " reads"});
}

Probed probe(const std::filesystem::path& path, const std::string& container, const FfmpegOptions& options) {
  std::vector<std::string> arguments = {options.ffprobe,
                                        "-v",
                                        "error",
                                        "-select_streams",
                                        "V:0",
                                        "-show_entries",
                                        "packet=pts_time,dts_time,duration_time,flags:stream=width,height:"
                                        "stream_tags=rotate:stream_side_data=rotation",
                                        "-of",
                                        "compact=escape=none"};
  const std::vector<std::string> input = input_arguments(path, container);
  arguments.insert(arguments.end(), input.begin(), input.end());
  Program program(arguments, use_of_ffmpeg(options));
  ProgramLines lines(program);
  Probed probed;
  for (std::string line; lines.next(line);) {
    if (line.starts_with("packet|")) add_packet(line, probed);
    if (line.starts_with("stream|")) add_stream(line, probed);
    if (probed.frames > limits::kVideoFrames)
      throw Error(ErrorCode::input_too_large, {.where = path.string(),
                                               .got = "more frames",
                                               .expected = "at most " + std::to_string(limits::kVideoFrames),
                                               .hint = "cut a shorter part"});
  }
  if (!program.succeeded()) throw_failed(program, path, "ffprobe");
  return probed;
}

void check_probed(const Probed& probed, const std::string& where) {
  if (probed.frames < 1 || probed.size.width < 1 || probed.size.height < 1)
    throw Error(ErrorCode::input_invalid, {.where = where, .got = "no video stream with frames"});
  if (probed.size.width > limits::kImageSide || probed.size.height > limits::kImageSide ||
      probed.size.width * probed.size.height > limits::kImagePixels)
    throw Error(ErrorCode::input_too_large, {.where = where,
                                             .got = std::to_string(probed.size.width) + "x" +
                                                    std::to_string(probed.size.height) + " pixels",
                                             .expected = "at most " + std::to_string(limits::kImagePixels)});
}

/// Reads PPM pictures from a program's output.
class PpmReader {
 public:
  PpmReader(Program& program, ImageSize size, const std::string& where)
      : program_(&program), size_(size), where_(&where) {}

  /// False at the end of the output.
  bool next(RgbImage& image) {
    if (!fill(buffer_, 0, 2)) return false;
    const std::string expected =
        "P6\n" + std::to_string(size_.width) + " " + std::to_string(size_.height) + "\n255\n";
    if (!fill(buffer_, 2, expected.size()) || buffer_ != expected)
      throw Error(ErrorCode::input_invalid,
                  {.where = *where_,
                   .got = "a frame of another size",
                   .expected = std::to_string(size_.width) + "x" + std::to_string(size_.height) +
                               ": frames of a video have one size"});
    image = {.width = size_.width, .height = size_.height};
    image.pixels.resize(static_cast<size_t>(size_.width * size_.height * 3));
    read_all({reinterpret_cast<char*>(image.pixels.data()), image.pixels.size()});
    return true;
  }

 private:
  // Reads text up to `size` bytes; false when the output ends before its first byte.
  bool fill(std::string& text, size_t from, size_t size) {
    text.resize(size);
    std::span<char> out(text.data() + from, size - from);
    const size_t first = program_->read(out);
    if (first == 0) return false;
    read_all(out.subspan(first));
    return true;
  }

  void read_all(std::span<char> out) {
    while (!out.empty()) {
      const size_t count = program_->read(out);
      if (count == 0)
        throw Error(ErrorCode::input_invalid,
                    {.where = *where_, .got = "a frame that ends early", .expected = "whole frames"});
      out = out.subspan(count);
    }
  }

  Program* program_;
  ImageSize size_;
  const std::string* where_;
  std::string buffer_;
};

class FfmpegVideo final : public VideoSource {
 public:
  FfmpegVideo(std::filesystem::path path, std::string container, FfmpegOptions options)
      : path_(std::move(path)),
        container_(std::move(container)),
        options_(std::move(options)),
        where_(path_.string()) {
    const Probed probed = probe(path_, container_, options_);
    check_probed(probed, where_);
    facts_.size = probed.size;
    facts_.frames = probed.frames;
    const auto frames = static_cast<double>(probed.frames);
    facts_.duration = options_.fps ? frames / *options_.fps : probed.end - probed.begin;
    if (!(facts_.duration > 0) || facts_.duration * 1000 > static_cast<double>(limits::kVideoMilliseconds))
      throw Error(ErrorCode::input_invalid,
                  {.where = where_,
                   .got = "a length of " + std::to_string(facts_.duration) + " seconds",
                   .expected = "more than 0 and at most a day",
                   .hint = "--fps says how many frames make a second"});
    facts_.fps = options_.fps ? *options_.fps : frames / facts_.duration;
  }

  void decode(std::span<const int64_t> wanted, const TakeFrame& take) const override {
    if (wanted.empty()) return;
    std::vector<int64_t> once(wanted.begin(), wanted.end());  // ffmpeg writes a frame once
    once.erase(std::unique(once.begin(), once.end()), once.end());
    Program program(decoding_arguments(once), use_of_ffmpeg(options_));
    PpmReader frames(program, facts_.size, where_);
    RgbImage image;
    for (size_t i = 0; i < wanted.size(); ++i) {
      const int64_t index = wanted[i];
      if ((i == 0 || index != wanted[i - 1]) && !frames.next(image)) {
        const std::string complaint = program.succeeded() ? "" : program.complaint();
        throw Error(ErrorCode::input_invalid,
                    {.where = where_ + ": frame " + std::to_string(index),
                     .got = complaint.empty() ? "no such frame" : complaint,
                     .expected = std::to_string(facts_.frames) + " frames, as the file says"});
      }
      take(index, image);
    }
  }

 private:
  std::vector<std::string> decoding_arguments(std::span<const int64_t> wanted) const {
    std::string select = "select=";
    for (size_t i = 0; i < wanted.size(); ++i)
      select += (i == 0 ? "eq(n\\," : "+eq(n\\,") + std::to_string(wanted[i]) + ")";
    std::vector<std::string> arguments = {options_.ffmpeg, "-nostdin", "-v", "error", "-xerror"};
    const std::vector<std::string> input = input_arguments(path_, container_);
    arguments.insert(arguments.end(), input.begin(), input.end());
    for (const std::string& argument : {"-map"s, "0:V:0"s, "-vf"s, select, "-fps_mode"s, "passthrough"s,
                                        "-frames:v"s, std::to_string(wanted.size()), "-pix_fmt"s, "rgb24"s,
                                        "-c:v"s, "ppm"s, "-f"s, "image2pipe"s, "pipe:1"s})
      arguments.push_back(argument);
    return arguments;
  }

  std::filesystem::path path_;
  std::string container_;
  FfmpegOptions options_;
  std::string where_;
};

}  // namespace

std::optional<std::string> video_container(const std::filesystem::path& path) {
  const MappedFile file(path);
  const auto bytes = file.bytes();
  return container_of({reinterpret_cast<const char*>(bytes.data()), std::min(bytes.size(), kMagicBytes)});
}

std::shared_ptr<const VideoSource> open_ffmpeg_video(const std::filesystem::path& path,
                                                     const FfmpegOptions& options) {
  if (options.fps && !(*options.fps > 0 && *options.fps <= limits::kVideoFps))
    throw Error(ErrorCode::usage,
                {.where = "frames per second (fps)",
                 .got = std::to_string(*options.fps),
                 .expected = "above 0, at most " + std::to_string(static_cast<int>(limits::kVideoFps))});
  const std::optional<std::string> container = video_container(path);
  if (!container)
    throw Error(ErrorCode::unsupported_media,
                {.where = path.string(),
                 .got = "no video container",
                 .expected = "MP4, MOV, WebM, Matroska, AVI, MPEG, FLV, Ogg or ASF"});
  return std::make_shared<FfmpegVideo>(path, *container, options);
}

}  // namespace galago
