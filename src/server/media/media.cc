// See the header.
#include "server/media/media.h"

#include <atomic>
#include <memory>
#include <span>
#include <string_view>
#include <utility>

#include "core/cancelled.h"
#include "core/printable.h"
#include "galago/ffmpeg.h"
#include "image/image.h"
#include "image/video.h"
#include "messages/uri.h"
#include "runtime/video_source.h"
#include "server/media/fetch.h"

namespace galago::server {
namespace {

constexpr double kFfmpegSeconds = 60;
constexpr std::string_view kPicture = "data:image/TYPE;base64,BYTES";

std::span<const std::byte> span_of(const std::string& bytes) { return std::as_bytes(std::span(bytes)); }

/// An error of a reader as one of the request. `code`: what input_invalid means for whoever calls.
[[noreturn]] void rethrow(const Error& error, const std::string& where, const char* code) {
  const ErrorParts parts = {
      .where = where, .got = error.got(), .expected = error.expected(), .hint = error.hint()};
  const bool unknown = error.got() == "text" || error.got() == "an unknown format";
  switch (error.code()) {
    case ErrorCode::resource:
    case ErrorCode::internal:
      throw Error(error.code(), parts);
    case ErrorCode::input_too_large:
      throw MediaError(error.code(), parts, "image_too_large");
    case ErrorCode::timeout:
      throw MediaError(ErrorCode::input_too_large, parts, "image_too_large");
    case ErrorCode::unsupported_media:
      throw MediaError(error.code(), parts,
                       unknown ? "invalid_image_format" : "unsupported_image_media_type");
    default:
      throw MediaError(ErrorCode::input_invalid, parts,
                       error.expected() == "at least 1x1" ? "image_too_small" : code);
  }
}

/// body(), with the errors of readers as those of the request.
template <class Body>
auto reading(const std::string& where, const char* code, const Body& body) {
  try {
    return body();
  } catch (const MediaError&) {
    throw;
  } catch (const Error& error) {
    rethrow(error, where, code);
  }
}

/// A video whose errors name the place in the request, not the file.
class NamedVideo final : public VideoSource {
 public:
  NamedVideo(std::shared_ptr<const VideoSource> source, std::string where)
      : source_(std::move(source)), where_(std::move(where)) {
    facts_ = source_->facts();
  }
  void decode(std::span<const int64_t> wanted, const TakeFrame& take) const override {
    reading(where_, "image_parse_error", [&] { source_->decode(wanted, take); });
  }

 private:
  std::shared_ptr<const VideoSource> source_;
  std::string where_;
};

Video open_file(const std::filesystem::path& file, const std::string& where, const KeepGoing& keep_going) {
  // The video remembers what it is asked about; a request's question is for the time of its reading alone.
  const auto opening = std::make_shared<std::atomic<bool>>(true);
  const auto go_on = [opening, keep_going] { return !*opening || !keep_going || keep_going(); };
  try {
    const Video video = Video::open_with_ffmpeg(file, {.seconds = kFfmpegSeconds, .keep_going = go_on});
    *opening = false;
    return video_of(std::make_shared<NamedVideo>(source_of(video), where));
  } catch (const Cancelled&) {
    refuse_media("failed_to_download_image", {.where = where, .got = "a request that was given up"});
  } catch (const Error& error) {
    // What ffmpeg says names the file.
    const bool missing = error.code() == ErrorCode::not_found;
    if (error.code() == ErrorCode::input_invalid || missing)
      refuse_media(missing ? "unsupported_image_media_type" : "invalid_image",
                   {.where = where,
                    .got = missing ? "a video that needs ffmpeg, which is not here"
                                   : "a video that ffmpeg does not read",
                    .expected = "GIF or WebP" + std::string(missing ? "" : ", MP4, WebM, Matroska or AVI")});
    rethrow(error, where, "invalid_image");
  }
}

std::string fetched(const RemoteUrl& url, FetchLimits limits, const std::string& where, const MediaUse* use) {
  if (!use) return fetch(url, limits, where);
  limits.keep_going = use->keep_going();
  std::string bytes;
  use->wait([&] { bytes = fetch(url, limits, where); });
  return bytes;
}

}  // namespace

MediaLoader::MediaLoader(MediaOptions options)
    : options_(std::move(options)),
      folder_(options_.media_path),
      policy_(options_.remote, options_.allowed_domains) {}

std::string MediaLoader::bytes_of_data(const std::string& url, const std::string& where) const {
  const DataUri uri = reading(where, "invalid_image_url", [&] { return parse_data_uri(url, where); });
  if (!uri.type.empty() && !uri.type.starts_with("image/") && !uri.type.starts_with("video/") &&
      uri.type != "application/octet-stream")
    refuse_media(
        "unsupported_image_media_type",
        {.where = where, .got = "the type " + in_quotes(uri.type, 60), .expected = std::string(kPicture)});
  if (!uri.base64)
    refuse_media("invalid_base64_image",
                 {.where = where, .got = "data without ;base64", .expected = std::string(kPicture)});
  if (static_cast<int64_t>(uri.data.size()) / 4 * 3 > options_.max_image_bytes + 2)
    refuse_bytes(where, std::to_string(uri.data.size()) + " characters of base64", options_.max_image_bytes);
  return reading(where, "invalid_base64_image", [&] { return decode_base64(uri.data, where); });
}

std::string MediaLoader::bytes_of(const std::string& url, const std::string& where,
                                  const MediaUse* use) const {
  std::string bytes;
  if (has_scheme(url, "data:"))
    bytes = bytes_of_data(url, where);
  else if (has_scheme(url, "file:"))
    bytes = folder_.read(folder_.file_of(url, where), options_.max_image_bytes, where);
  else if (on_the_web(url))
    bytes = fetched(policy_.check(url, where),
                    {.bytes = options_.max_image_bytes, .seconds = options_.fetch_seconds}, where, use);
  else
    refuse_media("invalid_image_url",
                 {.where = where,
                  .got = "a text of " + std::to_string(url.size()) + " characters that is no such address",
                  .expected = std::string(kPicture)});
  if (bytes.empty())
    refuse_media("empty_image_file", {.where = where, .got = "no bytes", .expected = "a picture"});
  if (static_cast<int64_t>(bytes.size()) > options_.max_image_bytes)
    refuse_bytes(where, std::to_string(bytes.size()) + " bytes", options_.max_image_bytes);
  return bytes;
}

void MediaLoader::check_size(int64_t width, int64_t height, const std::string& where) const {
  if (width <= options_.max_image_side && height <= options_.max_image_side &&
      width * height <= options_.max_image_pixels)
    return;
  throw MediaError(ErrorCode::input_too_large,
                   {.where = where,
                    .got = std::to_string(width) + "x" + std::to_string(height) + " pixels",
                    .expected = "edges of at most " + std::to_string(options_.max_image_side) +
                                " and at most " + std::to_string(options_.max_image_pixels) + " pixels"},
                   "image_too_large");
}

void MediaLoader::check_animation(const VideoFacts& facts, const std::string& where) const {
  check_size(facts.size.width, facts.size.height, where);
  const int64_t pixels = facts.frames * facts.size.width * facts.size.height;  // at most limits::kVideoPixels
  if (pixels > options_.max_video_pixels)
    throw MediaError(
        ErrorCode::input_too_large,
        {.where = where,
         .got = std::to_string(facts.frames) + " frames with " + std::to_string(pixels) + " pixels",
         .expected = "at most " + std::to_string(options_.max_video_pixels)},
        "image_too_large");
}

Image MediaLoader::decoded(const std::string& bytes, const std::string& where, MediaUse* use) const {
  const ImageSize size =
      reading(where, "invalid_image", [&] { return read_image_size(span_of(bytes), where); });
  check_size(size.width, size.height, where);
  if (use) use->take(size.width * size.height, where);
  return reading(where, "image_parse_error", [&] { return Image::from_bytes(span_of(bytes), where); });
}

Image MediaLoader::image(const std::string& url, const std::string& where, MediaUse* use) const {
  return decoded(bytes_of(url, where, use), where, use);
}

Video MediaLoader::video(const std::string& url, const std::string& where, MediaUse* use) const {
  if (has_scheme(url, "file:")) {
    const std::filesystem::path file = folder_.file_of(url, where);
    if (reading(where, "invalid_image", [&] { return Video::needs_ffmpeg(file); })) {
      const Video video = open_file(file, where, use ? use->keep_going() : KeepGoing());
      check_size(source_of(video)->facts().size.width, source_of(video)->facts().size.height, where);
      return video;
    }
  }
  std::string bytes = bytes_of(url, where, use);
  try {
    return reading(where, "invalid_image", [&] {
      const auto source = animation_of_bytes(std::move(bytes), where, {});
      check_animation(source->facts(), where);
      return video_of(std::make_shared<NamedVideo>(source, where));
    });
  } catch (const MediaError& error) {
    if (error.code() != ErrorCode::unsupported_media) throw;
    throw MediaError(error.code(),
                     {.where = where,
                      .got = error.got(),
                      .expected = "an animated GIF or WebP file, or a list of pictures",
                      .hint = "other videos are read from the server's media folder only: file://NAME"},
                     error.image_code);
  }
}

Video MediaLoader::frames(const std::vector<std::string>& urls, double fps, const std::string& where,
                          MediaUse* use) const {
  MediaUse own(options_.max_request_pixels);
  std::vector<Image> images;
  for (size_t i = 0; i < urls.size(); ++i)
    images.push_back(image(urls[i], where + "[" + std::to_string(i) + "]", use ? use : &own));
  return reading(where, "invalid_image", [&] { return Video::from_frames(images, fps); });
}

}  // namespace galago::server
