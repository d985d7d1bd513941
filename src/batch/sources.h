// Where items come from. In: words as a command line has them: folders, patterns, pictures, and files that
// list items. Out: one source of all of them, in that order.
#pragma once

#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "batch/batch.h"

namespace galago::batch {

/// What a word is.
enum class Form {
  by_name,   ///< a folder, a pattern, or as the ending says; what ends otherwise is a picture
  pictures,  ///< a folder, a pattern or a picture
  list,      ///< a file with one word of a picture in each line (.txt, .lst)
};

struct SourceOptions {
  Form form = Form::by_name;
  /// Where relative names in a file of items begin; empty: the file's own folder, of a list and of standard
  /// input the current one.
  std::filesystem::path image_root;
};

/// "-" is standard input, a list. Nothing is opened but to count. Error{usage} for no words at all,
/// Error{not_found} for what is not there and for a folder or pattern without pictures.
std::unique_ptr<Source> open_source(const std::vector<std::string>& words, const SourceOptions& options = {});

/// Whether a file's name ends as those of pictures that are decoded: .jpg, .PNG.
bool ends_like_picture(std::string_view name);

/// The picture that a word names, below `root` if it is relative: a path, a file: or data: URI. Error{usage}
/// for an address on the web, errors of the picture.
Image open_picture(const std::string& word, const std::filesystem::path& root);

}  // namespace galago::batch
