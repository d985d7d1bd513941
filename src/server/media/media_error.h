// What is wrong with a picture or video of a request, with the word that OpenAI's API has for it.
#pragma once

#include <cstdint>
#include <string>
#include <utility>

#include "galago/error.h"

namespace galago::server {

/// Never a status that clients retry, unless memory ran out: 400, 413 or 415.
struct MediaError : Error {
  MediaError(ErrorCode code, ErrorParts parts, std::string of_image)
      : Error(code, std::move(parts)), image_code(std::move(of_image)) {}

  /// invalid_image, invalid_image_format, invalid_base64_image, invalid_image_url, image_too_large,
  /// image_too_small, image_parse_error, unsupported_image_media_type, empty_image_file,
  /// failed_to_download_image; and remote_images_disabled, which is galago's own.
  std::string image_code;
};

/// The commonest: Error{input_invalid}.
[[noreturn]] inline void refuse_media(const char* image_code, ErrorParts parts) {
  throw MediaError(ErrorCode::input_invalid, std::move(parts), image_code);
}

/// Over the limit on the bytes of a picture or video. got: "20971521 bytes".
[[noreturn]] inline void refuse_bytes(const std::string& where, const std::string& got, int64_t limit) {
  throw MediaError(
      ErrorCode::input_too_large,
      {.where = where, .got = got, .expected = "at most " + std::to_string(limit) + " bytes of a picture"},
      "image_too_large");
}

}  // namespace galago::server
