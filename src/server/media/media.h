// Pictures and videos of requests. In: what image_url and video_url name, and what the operator allows. Out:
// pictures decoded, videos opened. Everything comes from a stranger: sizes are checked before memory is
// taken, and a name leads nowhere that is not allowed.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "galago/galago.h"
#include "image/video.h"
#include "server/media/folder.h"
#include "server/media/media_error.h"
#include "server/media/media_use.h"
#include "server/media/remote_url.h"

namespace galago::server {

struct MediaOptions {
  std::filesystem::path media_path;  ///< root of file:// names; empty: none
  bool remote = false;               ///< http:// and https:// are fetched
  /// Hosts that are fetched from, as UrlPolicy reads them; listing one switches it on. Empty with `remote`:
  /// any public host.
  std::vector<std::string> allowed_domains;
  int64_t max_image_bytes = 20 << 20;        ///< of a file, also of an animation
  int64_t max_image_pixels = 50'000'000;     ///< of a picture, or one frame
  int64_t max_image_side = 16384;            ///< pixels
  int64_t max_request_pixels = 200'000'000;  ///< of all pictures of one request: 600 MB decoded
  int64_t max_held_pixels = 700'000'000;     ///< of all requests in work; the API's
  int64_t max_video_pixels =
      500'000'000;            ///< of all frames of an animation: to see one is to decode those before
  double fetch_seconds = 10;  ///< from the name's resolution to the last byte
};

/// Const and thread-safe. Its functions wait for disk and network: not for an event loop's thread. `where`
/// names the place in the request, "messages[0].content[1].image_url", and is the only name in errors.
/// Errors: MediaError; Error{overloaded} of `use`; Error{resource} when memory runs out. `use` counts what
/// is decoded; null: alone.
class MediaLoader {
 public:
  /// Error{not_found} for a media folder that is none, Error{usage} for a domain that is malformed.
  explicit MediaLoader(MediaOptions options);

  /// data: in base64, with a type of pictures, application/octet-stream or none; file:// of the media folder;
  /// http:// and https:// where allowed. The content decides what it is; of an animation the first frame.
  Image image(const std::string& url, const std::string& where, MediaUse* use = nullptr) const;
  /// The same names, for an animated GIF or WebP file; and what Video::open_with_ffmpeg reads, as file://
  /// only.
  Video video(const std::string& url, const std::string& where, MediaUse* use = nullptr) const;
  /// Pictures as the frames of a video; where: "...video_url", of the i-th "...video_url[i]".
  Video frames(const std::vector<std::string>& urls, double fps, const std::string& where,
               MediaUse* use = nullptr) const;

 private:
  std::string bytes_of(const std::string& url, const std::string& where, const MediaUse* use) const;
  std::string bytes_of_data(const std::string& url, const std::string& where) const;
  Image decoded(const std::string& bytes, const std::string& where, MediaUse* use) const;
  void check_animation(const VideoFacts& facts, const std::string& where) const;
  void check_size(int64_t width, int64_t height, const std::string& where) const;

  MediaOptions options_;
  MediaFolder folder_;
  UrlPolicy policy_;
};

}  // namespace galago::server
