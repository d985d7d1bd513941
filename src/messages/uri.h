// URIs that name a picture or a video. In: text from a command line or a request. Out: what it holds or
// names; nothing is opened. Reference: RFC 2397 (data:), RFC 3986 section 2.1, RFC 4648 section 4, RFC 8089
// (file:).
#pragma once

#include <filesystem>
#include <string>
#include <string_view>

namespace galago {

/// Whether the text begins so, whatever its case: has_scheme(uri, "data:").
bool has_scheme(std::string_view text, std::string_view scheme);
/// Whether it is an address on the web: http:// or https://.
bool on_the_web(std::string_view text);

/// The bytes of base64 with its padding. Error{input_invalid} for anything else in `text`, which `where`
/// names.
std::string decode_base64(std::string_view text, const std::string& where);

/// The text with each %XX as its byte. Error{input_invalid} for half an escape and for byte 0.
std::string percent_decoded(std::string_view text, const std::string& where);

/// A data: URI taken apart; views into its text.
struct DataUri {
  std::string type;       ///< "image/png"; in lower case, empty where it says none
  bool base64 = false;    ///< whether the data is said to be
  std::string_view data;  ///< behind the first comma
};
/// Error{input_invalid} for a text that has no comma; it must begin with data:.
DataUri parse_data_uri(std::string_view uri, const std::string& where);

/// The bytes of data:image/TYPE;base64,BYTES. Error{input_invalid} for another data: URI,
/// Error{input_too_large} over limits::kImageBytes.
std::string picture_of_data_uri(std::string_view uri);

/// What a file: URI says of its file, percent-decoded: "/PATH" of this machine. Error{usage} for another
/// host, Error{input_invalid} for one that is malformed.
std::filesystem::path file_of_uri(std::string_view uri);

}  // namespace galago
