// The pictures of folders, in the order of their names. In: a folder, and perhaps a pattern. Out: path after
// path. Holds one folder's names for each level, not all of them.
#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace galago::batch {

/// Whether a path matches a pattern, both with "/" between parts: * and ? are no "/", [a-z] and [!a-z] one
/// character, ** any number of whole parts.
bool matches(std::string_view pattern, std::string_view path);

/// Goes through folders depth first; within one, by the bytes of its names. Names that begin with a dot are
/// passed over, links to folders are not followed.
class Walk {
 public:
  /// pattern: what the path behind `folder` has to match; empty: every name that ends like a picture.
  /// Error{not_found} when it is no folder that can be read.
  Walk(const std::filesystem::path& folder, std::string pattern);

  /// The next picture, its path beginning with the folder as it was given. Error{not_found} for a folder that
  /// cannot be read.
  std::optional<std::filesystem::path> next();

 private:
  struct Level {
    std::filesystem::path folder;
    std::string below;               ///< the folder behind the first one, "" or "a/b/"
    std::vector<std::string> names;  ///< of folders with "/" at their end; the last comes first
  };
  void enter(const std::filesystem::path& folder, const std::string& below);

  std::string pattern_;
  std::vector<Level> levels_;
};

}  // namespace galago::batch
