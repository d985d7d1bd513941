// The folder whose files requests may name. In: file: URIs. Out: files in it and their bytes. Symbolic links
// count where they lead to: a file outside of the folder is no file of it.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>

namespace galago::server {

class MediaFolder {
 public:
  /// Empty: every name is refused. Error{not_found} when it is no folder.
  explicit MediaFolder(const std::filesystem::path& root);

  /// The file that file://NAME (below the folder) or file:///PATH (the whole path of one in it) means. The
  /// same MediaError invalid_image_url for a file that is missing and for one that lies elsewhere.
  std::filesystem::path file_of(const std::string& uri, const std::string& where) const;
  /// The bytes of a file that file_of gave; MediaError image_too_large over `limit`.
  std::string read(const std::filesystem::path& file, int64_t limit, const std::string& where) const;

 private:
  std::filesystem::path root_;
};

}  // namespace galago::server
