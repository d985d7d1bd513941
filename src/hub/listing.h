// What a hub says about a repository, read with suspicion: its texts become names of files. In: JSON and
// headers. Out: a commit, and files with checked names, sizes and hashes. Pure.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "hub/blob_hash.h"

namespace galago::hub {

struct RepoFile {
  std::string path;  ///< with slashes; every part is a plain name
  int64_t size = 0;
  BlobKind kind = BlobKind::git;
  std::string git_id;  ///< 40 digits
  std::string sha256;  ///< 64 digits of a file in LFS, else empty
  std::string xet;     ///< as the listing has it; may be empty

  /// What its blob is called in the cache, and what its content must hash to.
  const std::string& blob() const { return kind == BlobKind::lfs ? sha256 : git_id; }
};

/// Whether a file of that name stays in its folder, and can be shown: relative, no "." or "..", no control
/// characters or backslashes, UTF-8, at most 1024 bytes and 255 in each part.
bool is_safe_path(std::string_view path);
/// Whether it is the name of a commit: 40 lower-case hexadecimal digits.
bool is_commit(std::string_view text);

/// The commit in an answer of /api/models/ORG/NAME/revision/REV. `where` opens every error text.
/// Error{input_invalid}.
std::string commit_of(std::string_view json, const std::string& where);
/// Adds the files of one page of /api/models/ORG/NAME/tree/COMMIT. Error{input_invalid};
/// Error{input_too_large} over 100,000 files.
void add_files(std::vector<RepoFile>& files, std::string_view json, const std::string& where);
/// Error{input_invalid} for a name that stands twice or is a folder's, too, and for sizes whose sum is beyond
/// what can be counted.
void check_files(const std::vector<RepoFile>& files, const std::string& where);
/// The address with rel="next" of a Link header; empty when there is none.
std::string next_page(std::string_view link);
/// The hash in an ETag: its 40 or 64 hexadecimal digits without W/ and quotes; nothing for any other.
std::optional<std::string> hash_of_etag(std::string_view etag);

/// The listing as huggingface_hub keeps it in trees/COMMIT.json.
std::string tree_json(const std::vector<RepoFile>& files);

}  // namespace galago::hub
