// What a word of the command line names as a picture. In: a file's name, "-" for standard input, a data: URI
// or a file: URI. Out: the picture, or its bytes. Nothing is downloaded.
#pragma once

#include <cstddef>
#include <filesystem>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "galago/galago.h"
#include "io/files.h"

namespace galago::cli {

/// Whether a word that stands alone is meant as a picture: a file that exists, a URI, "-", or a name that
/// ends like a picture's. A question is none.
bool names_picture(const std::string& word);

/// Whether a file's name ends like a picture's: .jpg, .PNG.
bool ends_like_picture(const std::string& name);

/// What stands for the picture in output: the word itself, a data: URI without its bytes.
std::string shown_picture(const std::string& word);

/// Error{not_found} for a word that names nothing, but would be a pattern for a shell.
void check_pattern(const std::string& word);

/// The file that a word names: its path, or that of a file: URI. Error{usage} for an address on the web or
/// another host, Error{input_invalid} for a file: URI that is malformed; the error of check_pattern.
std::filesystem::path local_file(const std::string& word);

/// A picture's bytes, wherever they are.
class PictureBytes {
 public:
  /// Errors of local_file and MappedFile; Error{input_invalid} for a data: URI that holds no picture or is
  /// malformed, Error{input_too_large}.
  explicit PictureBytes(const std::string& word);
  std::span<const std::byte> bytes() const;
  /// For errors.
  const std::string& name() const { return name_; }

 private:
  std::string name_;
  std::optional<MappedFile> file_;
  std::string own_;
};

/// The picture that a word names, decoded.
Image open_image(const std::string& word);

/// Error{usage} when more than one of these words is "-".
void check_standard_input(const std::vector<std::string>& pictures, const std::vector<std::string>& texts);

}  // namespace galago::cli
